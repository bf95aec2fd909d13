use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, ItemFn, Result, ReturnType, Type};

use crate::function::{by_place, read_function};
use crate::key::key;
use crate::options::Options;
use crate::output::returns_result;

/// Expands `#[invalidates]`.
pub(crate) fn expand(
    options: TokenStream,
    function: TokenStream,
    cache_crate: &TokenStream,
) -> Result<TokenStream> {
    let options = Options::read(options, &["cache", "key", "tags", "log_errors"])?;
    let cache = options.cache()?;
    let function = read_function(function, "invalidates")?;
    let tags = options.value("tags")?;
    let key_value = match (options.value("key")?, tags) {
        (None, Some(_)) => quote!(::core::option::Option::None),
        (named, _) => {
            let key = key(named, &function.sig)?;
            quote!(::core::option::Option::Some(#key))
        }
    };
    let tags = tags.map(|tags| quote!(.with_tags(#tags)));
    let logs_errors = options.flag("log_errors")?;
    if !logs_errors && !returns_result(&function.sig) {
        return Err(Error::new(
            function.sig.ident.span(),
            "the removal may fail, and this function returns no `Result`: return one, or add \
             `log_errors`",
        ));
    }

    let support = quote!(#cache_crate::attributes);
    let local = |name| Ident::new(name, Span::mixed_site());
    let (removal, outcome) = (local("removal"), local("outcome"));
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
    } = function;
    let ty = match &sig.output {
        ReturnType::Type(_, ty) => inferred((**ty).clone()),
        ReturnType::Default => quote!(()),
    };
    let finish = if logs_errors {
        quote! {
            #removal.finish_or_log().await;
            #outcome
        }
    } else {
        quote! {
            let #removal = #removal.finish().await;
            // An error is returned unchanged, because part of its type may be known only to the
            // compiler.
            match #outcome {
                ::core::result::Result::Ok(#outcome) => {
                    #removal?;
                    ::core::result::Result::Ok(#outcome)
                }
                ::core::result::Result::Err(#outcome) => ::core::result::Result::Err(#outcome),
            }
        }
    };
    let (outer, inner) = by_place(attrs);
    Ok(quote! {
        #(#outer)*
        #vis #sig {
            #(#inner)*
            let #removal = #support::Removal::begin(&#cache, #key_value) #tags;
            let #outcome = async move {
                if let ::core::option::Option::Some(#outcome) = ::core::option::Option::None::<#ty> {
                    #[allow(unreachable_code)]
                    return #outcome;
                }
                #[allow(clippy::let_unit_value)]
                let #outcome: #ty = #block;
                #[allow(unreachable_code, clippy::let_unit_value, clippy::unused_unit)]
                #outcome
            };
            let #outcome = #outcome.await;
            #finish
        }
    })
}

/// Returns a type as a variable can have it: with `_` for each `impl Trait`.
fn inferred(mut ty: Type) -> TokenStream {
    struct Infer;
    impl VisitMut for Infer {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            match ty {
                Type::ImplTrait(_) => *ty = syn::parse_quote!(_),
                ty => visit_mut::visit_type_mut(self, ty),
            }
        }
    }
    Infer.visit_type_mut(&mut ty);
    quote!(#ty)
}
