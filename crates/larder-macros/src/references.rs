use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Error, GenericParam, Lifetime, ParenthesizedGenericArguments, Result, TraitBound, Type,
    TypeBareFn, TypeReference,
};

/// Returns whether a load can keep this reference as it is.
pub(crate) fn is_static(reference: &TypeReference) -> bool {
    let lifetime = reference.lifetime.as_ref();
    lifetime.is_some_and(|it| it.ident == "static")
}

/// Refuses a type with which a copy cannot be declared.
pub(crate) fn refuse_unnamed(ty: &Type) -> Result<()> {
    match ty {
        Type::Paren(inner) => refuse_unnamed(&inner.elem),
        Type::ImplTrait(_) | Type::TraitObject(_) => Err(Error::new(
            ty.span(),
            "the load copies what this is a reference to: name its type, such as \
             `T: Clone + Send + Sync + 'static`, or take an `Arc`",
        )),
        _ => Ok(()),
    }
}

/// Refuses a type that contains a reference, which a copy would outlive.
pub(crate) fn refuse_references(ty: &Type) -> Result<()> {
    let mut find = Find {
        declared: Vec::new(),
        found: None,
    };
    find.visit_type(ty);
    match find.found {
        None => Ok(()),
        Some(span) => Err(Error::new(
            span,
            "the load outlives the call, and cannot hold this reference: take an owned type, or a \
             plain reference such as `&str` or `&T`",
        )),
    }
}

struct Find {
    /// The lifetimes that a `for<'a>` around this place declares.
    declared: Vec<Ident>,
    found: Option<Span>,
}

impl<'ast> Visit<'ast> for Find {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.is_none() {
            self.found.get_or_insert(reference.span());
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" && !self.declared.contains(&lifetime.ident) {
            self.found.get_or_insert(lifetime.span());
        }
    }

    fn visit_trait_bound(&mut self, bound: &'ast TraitBound) {
        let around = self.declared.len();
        let declared = bound.lifetimes.iter().flat_map(|it| &it.lifetimes);
        self.declared.extend(declared.filter_map(|it| match it {
            GenericParam::Lifetime(it) => Some(it.lifetime.ident.clone()),
            _ => None,
        }));
        self.visit_path(&bound.path);
        self.declared.truncate(around);
    }

    // The arguments of `Fn(&str)` are references that the load does not hold.
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}

    // It declares lifetimes of its own.
    fn visit_type_bare_fn(&mut self, _: &'ast TypeBareFn) {}
}
