use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit_mut::VisitMut;
use syn::{
    Block, Error, Expr, FnArg, Ident, Pat, PatIdent, PatType, Receiver, Result, Signature, Type,
};

use crate::names::{cfgs, mentions, name, variables};
use crate::references::{is_static, refuse_references, refuse_unnamed};

/// How the arguments get into a load that outlives the call.
#[derive(Default)]
pub(crate) struct Captures {
    /// Statements before the load: copies of what is borrowed.
    pub(crate) copies: TokenStream,
    /// Statements in the load: the arguments under their own names and types.
    pub(crate) bindings: TokenStream,
    /// The arguments that are copied under their own names.
    copied: Vec<Ident>,
    copies_self: bool,
}

/// Returns the name of `self` in a load.
pub(crate) fn this() -> Ident {
    Ident::new("larder_this", Span::mixed_site())
}

impl Captures {
    /// Plans the captures. `uses_self` says whether the body mentions `self`.
    pub(crate) fn plan(
        signature: &Signature,
        cache: &Expr,
        body: &Block,
        uses_self: bool,
    ) -> Result<Self> {
        let mut captures = Self::default();
        for argument in &signature.inputs {
            match argument {
                FnArg::Receiver(receiver) => captures.receiver(receiver, uses_self)?,
                FnArg::Typed(argument) => captures.argument(argument, cache, body)?,
            }
        }
        Ok(captures)
    }

    fn receiver(&mut self, receiver: &Receiver, is_used: bool) -> Result<()> {
        let reference = match &*receiver.ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                return Err(Error::new(
                    receiver.span(),
                    "a cached method cannot take `&mut self`: a hit does not run it; take `&self`",
                ));
            }
            Type::Reference(reference) => Some(reference),
            _ => None,
        };
        if !is_used {
            return Ok(());
        }
        self.copies_self = true;
        let (this, span) = (this(), receiver.self_token);
        // In `&self` it belongs to the reference.
        let mutability = receiver.mutability;
        match reference {
            Some(reference) if is_static(reference) => {
                self.copies.extend(quote!(let #mutability #this = #span;));
            }
            Some(_) => {
                self.copies
                    .extend(quote!(let #this = ::std::borrow::ToOwned::to_owned(#span);));
                self.bindings
                    .extend(quote!(let #mutability #this = &#this;));
            }
            None => self
                .copies
                .extend(quote!(let #mutability #this = ::std::borrow::ToOwned::to_owned(&#span);)),
        }
        Ok(())
    }

    fn argument(&mut self, argument: &PatType, cache: &Expr, body: &Block) -> Result<()> {
        let reference = match (&*argument.pat, &*argument.ty) {
            // Nothing of it gets into the load.
            (Pat::Wild(_), _) => return Ok(()),
            (_, Type::Reference(reference)) => reference,
            (pattern, ty) => {
                refuse_references(ty)?;
                self.shared_with_cache(pattern, argument, cache, body);
                return Ok(());
            }
        };
        if reference.mutability.is_some() {
            return Err(Error::new(
                argument.ty.span(),
                "a cached function cannot take a `&mut` argument: a hit does not run it; take it \
                 by value or as `&`",
            ));
        }
        if is_static(reference) {
            return Ok(());
        }
        refuse_references(&reference.elem)?;
        let name = name(argument).ok_or_else(|| {
            Error::new(
                argument.pat.span(),
                "the load copies this reference: give the argument a name, and take it apart in \
                 the body",
            )
        })?;
        if !mentions(body.to_token_stream(), &name) {
            return Ok(());
        }
        let ty = &reference.elem;
        refuse_unnamed(ty)?;
        let cfgs: Vec<_> = cfgs(argument).collect();
        self.copies
            .extend(quote!(#(#cfgs)* let #name = ::std::borrow::ToOwned::to_owned(#name);));
        let is_mutable = matches!(&*argument.pat, Pat::Ident(name) if name.mutability.is_some());
        let mutability = is_mutable.then(|| quote!(mut));
        self.bindings
            .extend(quote!(#(#cfgs)* let #mutability #name: &#ty = &#name;));
        self.copied.push(name);
        Ok(())
    }

    /// Copies what the call of the cache borrows and the body takes.
    fn shared_with_cache(&mut self, pattern: &Pat, argument: &PatType, cache: &Expr, body: &Block) {
        let cfgs: Vec<_> = cfgs(argument).collect();
        for PatIdent {
            ident, mutability, ..
        } in variables(pattern)
        {
            let is_shared =
                mentions(cache.to_token_stream(), ident) && mentions(body.to_token_stream(), ident);
            if is_shared {
                self.copies.extend(
                    quote!(#(#cfgs)* let #mutability #ident = ::std::clone::Clone::clone(&#ident);),
                );
                self.copied.push(ident.clone());
            }
        }
    }

    /// Removes `mut` from the arguments that are copied: the copies have it.
    pub(crate) fn remove_mut(&self, signature: &mut Signature) {
        struct Remove<'a>(&'a [Ident]);
        impl VisitMut for Remove<'_> {
            fn visit_pat_ident_mut(&mut self, name: &mut PatIdent) {
                if self.0.contains(&name.ident) {
                    name.mutability = None;
                }
            }
        }
        for argument in &mut signature.inputs {
            match argument {
                FnArg::Receiver(receiver) if self.copies_self && receiver.reference.is_none() => {
                    receiver.mutability = None;
                }
                FnArg::Receiver(_) => {}
                FnArg::Typed(argument) => Remove(&self.copied).visit_pat_mut(&mut argument.pat),
            }
        }
    }
}
