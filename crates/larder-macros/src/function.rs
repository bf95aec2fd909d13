use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{AttrStyle, Attribute, Error, ItemFn, Result};

/// Reads the function of an attribute; errors call the attribute `attribute`.
pub(crate) fn read_function(function: TokenStream, attribute: &str) -> Result<ItemFn> {
    let function: ItemFn = syn::parse2(function).map_err(|error| {
        let advice = format!("#[{attribute}] goes on an async function or method with a body");
        Error::new(error.span(), advice)
    })?;
    if function.sig.asyncness.is_none() {
        return Err(Error::new(
            function.sig.fn_token.span(),
            format!(
                "#[{attribute}] needs an `async fn`; under #[async_trait], which rewrites it first, \
                 put #[{attribute}] on a method outside of the trait and call that"
            ),
        ));
    }
    Ok(function)
}

/// Parts the attributes of a function: those in front of it, and those at the start of its body.
pub(crate) fn by_place(attributes: Vec<Attribute>) -> (Vec<Attribute>, Vec<Attribute>) {
    let is_outer = |it: &Attribute| matches!(it.style, AttrStyle::Outer);
    attributes.into_iter().partition(is_outer)
}
