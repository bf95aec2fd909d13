use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, Pat, PatIdent, PatType};

/// Returns the name of an argument. None if it is taken apart by a pattern.
pub(crate) fn name(argument: &PatType) -> Option<Ident> {
    match &*argument.pat {
        Pat::Ident(name) if name.subpat.is_none() => Some(name.ident.clone()),
        _ => None,
    }
}

/// Returns the conditions under which an argument exists.
pub(crate) fn cfgs(argument: &PatType) -> impl Iterator<Item = &Attribute> {
    let attributes = argument.attrs.iter();
    attributes.filter(|attribute| attribute.path().is_ident("cfg"))
}

/// Returns the variables of a pattern.
pub(crate) fn variables(pattern: &Pat) -> Vec<&PatIdent> {
    struct Find<'ast>(Vec<&'ast PatIdent>);
    impl<'ast> Visit<'ast> for Find<'ast> {
        fn visit_pat_ident(&mut self, name: &'ast PatIdent) {
            self.0.push(name);
            visit::visit_pat_ident(self, name);
        }
    }
    let mut find = Find(Vec::new());
    find.visit_pat(pattern);
    find.0
}

/// Returns whether `tokens` mention a variable, including in a text such as `"{name}"`.
pub(crate) fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Literal(text) => text.to_string().contains(&format!("{{{}", name.unraw())),
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) => false,
    })
}
