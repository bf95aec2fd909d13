use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, Expr, FnArg, Result, Signature};

use crate::names::{cfgs, name};

/// Returns the expression of the key: the option, or all arguments without `self`.
pub(crate) fn key(option: Option<&Expr>, signature: &Signature) -> Result<TokenStream> {
    if let Some(key) = option {
        return Ok(owned(quote!((#key))));
    }
    let mut names = Vec::new();
    for argument in &signature.inputs {
        let FnArg::Typed(argument) = argument else {
            continue;
        };
        if let Some(cfg) = cfgs(argument).next() {
            return Err(Error::new(
                cfg.span(),
                "an argument under #[cfg] cannot be part of the key: name the key with `key = EXPR`",
            ));
        }
        let name = name(argument).ok_or_else(|| {
            Error::new(
                argument.pat.span(),
                "a pattern cannot be the key: name the key with `key = EXPR`",
            )
        })?;
        names.push(owned(quote!(#name)));
    }
    match &names[..] {
        [] => Err(Error::new(
            signature.ident.span(),
            "there is no argument to make a key of: name the key with `key = EXPR`",
        )),
        [name] => Ok(quote!(#name)),
        names => Ok(quote!((#(#names),*))),
    }
}

/// Returns the copy of a key, so that the body may move the arguments.
fn owned(key: TokenStream) -> TokenStream {
    // A method call, so that a `&str` becomes a `String` and a reference to a number becomes the
    // number.
    quote!({
        #[allow(unused_imports)]
        use ::std::borrow::ToOwned as _;
        #key.to_owned()
    })
}
