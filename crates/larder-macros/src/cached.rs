use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{ItemFn, Result};

use crate::arguments::Captures;
use crate::body::{refuse_recursion, rename_self};
use crate::function::{by_place, read_function};
use crate::key::key;
use crate::options::Options;
use crate::output::Output;

/// Expands `#[cached]`.
pub(crate) fn expand(
    options: TokenStream,
    function: TokenStream,
    cache_crate: &TokenStream,
) -> Result<TokenStream> {
    let options = Options::read(options, &["cache", "key", "ttl", "tags", "cache_none"])?;
    let cache = options.cache()?;
    let mut function = read_function(function, "cached")?;
    let signature = &function.sig;
    refuse_recursion(&function.block, signature)?;
    let output = Output::read(signature, options.flag("cache_none")?, cache_crate)?;
    let key_value = key(options.value("key")?, signature)?;
    let uses_self = rename_self(&mut function.block)?;
    let captures = Captures::plan(&function.sig, cache, &function.block, uses_self)?;
    captures.remove_mut(&mut function.sig);
    let Captures {
        copies, bindings, ..
    } = captures;

    let support = quote!(#cache_crate::attributes);
    let (body_type, shape) = (&output.body, &output.shape);
    let load = if output.is_optional {
        quote!(load_optional)
    } else {
        quote!(load)
    };
    let ttl = options.value("ttl")?.map(|ttl| quote!(.with_ttl(#ttl)));
    let tags = options.value("tags")?.map(|tags| quote!(.with_tags(#tags)));
    let settings = quote!(#support::Settings::new() #ttl #tags);
    let local = |name| Ident::new(name, Span::mixed_site());
    let (key, settings_name, loaded) = (local("key"), local("settings"), local("loaded"));
    let ItemFn {
        attrs,
        vis,
        mut sig,
        block,
    } = function;
    let callers = output.callers;
    sig.output = syn::parse_quote!(-> #callers);
    let (outer, inner) = by_place(attrs);
    Ok(quote! {
        #(#outer)*
        #vis #sig {
            #(#inner)*
            let #key = #key_value;
            #support::Call::new(&#cache, &#key).#load(|| {
                let #settings_name = #settings;
                #copies
                (#settings_name, async move {
                    #bindings
                    let #loaded = async move {
                        // Gives `return` and `?` in the body their type.
                        if let ::core::option::Option::Some(#loaded) =
                            ::core::option::Option::None::<#body_type>
                        {
                            #[allow(unreachable_code)]
                            return #loaded;
                        }
                        #[allow(clippy::let_unit_value)]
                        let #loaded: #body_type = #block;
                        #[allow(unreachable_code)]
                        #loaded
                    };
                    #support::#shape(#loaded.await)
                })
            })
            .await
        }
    })
}
