use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Error, Expr, ExprCall, ExprMethodCall, ExprPath, Ident, Item, Macro, Result, Signature,
};

use crate::arguments::this;
use crate::declared::{has_item, is_argument, lets};

/// Refuses a body that calls its own function.
pub(crate) fn refuse_recursion(body: &Block, signature: &Signature) -> Result<()> {
    let name = &signature.ident;
    let is_method = signature.receiver().is_some();
    let mut calls = Calls {
        name,
        is_method,
        is_hidden: is_method || is_argument(signature),
        found: None,
    };
    calls.visit_block(body);
    let other = match is_method {
        true => ", or give the function another name",
        false => "",
    };
    match calls.found {
        None => Ok(()),
        Some(span) => Err(Error::new(
            span,
            format!(
                "`{name}` is cached and calls itself: its load would wait for a load of its own; \
                 move the recursion into a function without #[cached], and call that{other}"
            ),
        )),
    }
}

struct Calls<'a> {
    name: &'a Ident,
    is_method: bool,
    /// Whether the bare name means something else at this place.
    is_hidden: bool,
    found: Option<Span>,
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_block(&mut self, block: &'ast Block) {
        let outside = self.is_hidden;
        self.is_hidden |= has_item(block, self.name);
        for statement in &block.stmts {
            self.visit_stmt(statement);
            // In `let film = film(id)` the second name is the function's own.
            self.is_hidden |= lets(statement, self.name);
        }
        self.is_hidden = outside;
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(ExprPath {
            qself: None, path, ..
        }) = &*call.func
        {
            let mut segments = path.segments.iter().rev();
            let is_named = segments.next().is_some_and(|last| last.ident == *self.name);
            let is_own = match (segments.next(), segments.next()) {
                (None, _) => !self.is_hidden,
                (Some(of), None) => of.ident == "Self" || (of.ident == "self" && !self.is_method),
                _ => false,
            };
            if is_named && is_own {
                self.found.get_or_insert(call.func.span());
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == *self.name && is_self(&call.receiver) {
            self.found.get_or_insert(call.method.span());
        }
        visit::visit_expr_method_call(self, call);
    }

    // An item inside the body has its own names.
    fn visit_item(&mut self, _: &'ast Item) {}
}

fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(path) if path.qself.is_none() && path.path.is_ident("self"))
}

/// Renames `self` in a body, and returns whether it was there.
///
/// A load cannot borrow `self`, and no other variable can have that name. In a text such as `"{self}"` it
/// cannot be renamed, and is refused.
pub(crate) fn rename_self(body: &mut Block) -> Result<bool> {
    let mut rename = Rename {
        found: false,
        in_text: None,
    };
    rename.visit_block_mut(body);
    match rename.in_text {
        None => Ok(rename.found),
        Some(span) => Err(Error::new(
            span,
            "the load uses a copy of `self`, which a format string cannot name: write `{}` and pass \
             `self` as an argument",
        )),
    }
}

struct Rename {
    found: bool,
    /// The text that mentions it.
    in_text: Option<Span>,
}

impl VisitMut for Rename {
    fn visit_expr_path_mut(&mut self, expr: &mut ExprPath) {
        if expr.qself.is_none() && expr.path.is_ident("self") {
            self.found = true;
            let span = expr.span();
            expr.path = Ident::new(&this().to_string(), this().span().located_at(span)).into();
        }
        visit_mut::visit_expr_path_mut(self, expr);
    }

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        call.tokens = self.tokens(std::mem::take(&mut call.tokens));
    }

    // An item inside the body has its own `self`.
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

impl Rename {
    /// Renames `self` among the tokens of a macro, except in front of `::`, where it is a module.
    fn tokens(&mut self, tokens: TokenStream) -> TokenStream {
        let mut renamed = TokenStream::new();
        let mut rest = tokens.into_iter().peekable();
        while let Some(token) = rest.next() {
            let is_path = matches!(rest.peek(), Some(TokenTree::Punct(next))
                if next.as_char() == ':' && next.spacing() == proc_macro2::Spacing::Joint);
            match token {
                TokenTree::Ident(ident) if ident == "self" && !is_path => {
                    self.found = true;
                    let mut name = this();
                    name.set_span(name.span().located_at(ident.span()));
                    name.to_tokens(&mut renamed);
                }
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), self.tokens(group.stream()));
                    inner.set_span(group.span());
                    inner.to_tokens(&mut renamed);
                }
                TokenTree::Literal(text) => {
                    if names_self(&text.to_string()) {
                        self.in_text.get_or_insert(text.span());
                    }
                    text.to_tokens(&mut renamed);
                }
                token => token.to_tokens(&mut renamed),
            }
        }
        renamed
    }
}

/// Returns whether a text has `{self}` or `{self:`, and not `{{self}}`.
fn names_self(text: &str) -> bool {
    let mut found = text.match_indices("{self");
    found.any(|(at, name)| {
        let is_whole = text[at + name.len()..].starts_with(['}', ':']);
        is_whole && !text[..at].ends_with('{')
    })
}
