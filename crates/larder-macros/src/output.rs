use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{
    Error, GenericArgument, Ident, PathArguments, PathSegment, Result, ReturnType, Signature, Type,
};

/// The return type of a cached function's body, and of the function itself.
pub(crate) struct Output {
    /// The type of the body.
    pub(crate) body: Type,
    /// The return type of the function.
    pub(crate) callers: TokenStream,
    /// The function that turns the body's return value into a `Result<V, E>` for the loader.
    pub(crate) shape: Ident,
    /// Whether callers may get `None`.
    pub(crate) is_optional: bool,
}

impl Output {
    /// Reads the return type. `cache_none` means that an `Option` is a value like any other.
    pub(crate) fn read(
        signature: &Signature,
        cache_none: bool,
        cache_crate: &TokenStream,
    ) -> Result<Self> {
        let body = match &signature.output {
            ReturnType::Type(_, ty) => (**ty).clone(),
            ReturnType::Default => {
                return Err(Error::new(
                    signature.ident.span(),
                    "a cached function returns the value to cache: add `-> Result<V, E>` or `-> V`",
                ));
            }
        };
        if let Some(span) = unnamed(&body) {
            return Err(Error::new(
                span,
                "a cache needs the type of its values: name it instead of `impl Trait`",
            ));
        }
        let result = last_segment(&body).filter(|last| is_result(last));
        let (held, error) = match result {
            Some(result) => {
                let any = quote!(<#body as #cache_crate::attributes::AnyResult>);
                let mut types = types(result).filter(|_| names_value(result));
                let held = types
                    .next()
                    .map_or_else(|| Held::Opaque(quote!(#any::Value)), Held::Named);
                let error = types
                    .next()
                    .map_or_else(|| quote!(#any::Error), |ty| quote!(#ty));
                (held, error)
            }
            None => (Held::Named(&body), quote!(::core::convert::Infallible)),
        };
        let option = held.only_type_of("Option").filter(|_| !cache_none);
        let is_optional = option.is_some();
        let held = option.map_or(held, Held::Named);
        let value = match held.only_type_of("Loaded") {
            Some(value) => quote!(#value),
            None => held.tokens(),
        };
        let shared = quote!(::std::sync::Arc<#value>);
        let shared = if is_optional {
            quote!(::core::option::Option<#shared>)
        } else {
            shared
        };
        let shape = match (result.is_some(), is_optional) {
            (true, true) => "result_of_option",
            (true, false) => "result",
            (false, true) => "option",
            (false, false) => "value",
        };
        Ok(Self {
            callers: quote!(::core::result::Result<#shared, #cache_crate::LoadError<#error>>),
            shape: Ident::new(shape, Span::call_site()),
            is_optional,
            body,
        })
    }
}

/// Returns whether a function returns a `Result`, by the name of the type.
pub(crate) fn returns_result(signature: &Signature) -> bool {
    match &signature.output {
        ReturnType::Type(_, ty) => last_segment(ty).is_some_and(is_result),
        ReturnType::Default => false,
    }
}

/// The type of a value: written out, or known to the compiler alone.
enum Held<'a> {
    Named(&'a Type),
    Opaque(TokenStream),
}

impl<'a> Held<'a> {
    /// Returns `T` of `name<T>`.
    fn only_type_of(&self, name: &str) -> Option<&'a Type> {
        let Self::Named(ty) = self else {
            return None;
        };
        let last = last_segment(ty).filter(|last| last.ident == name)?;
        types(last).next()
    }

    fn tokens(&self) -> TokenStream {
        match self {
            Self::Named(ty) => quote!(#ty),
            Self::Opaque(tokens) => tokens.clone(),
        }
    }
}

/// Returns where a type has an `impl Trait`.
fn unnamed(ty: &Type) -> Option<Span> {
    struct Find(Option<Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_impl_trait(&mut self, it: &'ast syn::TypeImplTrait) {
            self.0.get_or_insert(it.span());
        }
    }
    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Paren(inner) => last_segment(&inner.elem),
        Type::Group(inner) => last_segment(&inner.elem),
        _ => None,
    }
}

fn is_result(segment: &PathSegment) -> bool {
    segment.ident.to_string().ends_with("Result")
}

/// Returns whether the first argument of a `Result` is the type of its value.
///
/// In an alias such as `FetchResult<E>` it may be that of the error. But no error is an `Option` or a `Loaded`.
fn names_value(result: &PathSegment) -> bool {
    let first = types(result).next().and_then(last_segment);
    result.ident == "Result" || first.is_some_and(|it| it.ident == "Option" || it.ident == "Loaded")
}

fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments
        .into_iter()
        .flatten()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}
