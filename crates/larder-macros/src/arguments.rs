use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{
    Block, Error, Expr, FnArg, Ident, ItemFn, Pat, PatType, Receiver, Result, Signature, Type,
};

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

/// Returns the expression of the key: the option, or all arguments without `self`.
pub(crate) fn key(option: Option<&Expr>, signature: &Signature) -> Result<TokenStream> {
    if let Some(key) = option {
        return Ok(owned(quote!((#key))));
    }
    let mut names = Vec::new();
    for argument in typed(signature) {
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

/// How the arguments get into a load that outlives the call.
pub(crate) struct Captures {
    /// Statements before the load: copies of what is borrowed.
    pub(crate) copies: TokenStream,
    /// Statements in the load: the arguments under their own names and types.
    pub(crate) bindings: TokenStream,
}

/// Returns the name of `self` in a load.
pub(crate) fn this() -> Ident {
    Ident::new("larder_this", Span::mixed_site())
}

impl Captures {
    /// Plans the captures. `uses_self` says whether the body mentions `self`.
    pub(crate) fn plan(signature: &Signature, body: &Block, uses_self: bool) -> Result<Self> {
        let mut captures = Self {
            copies: TokenStream::new(),
            bindings: TokenStream::new(),
        };
        for argument in &signature.inputs {
            match argument {
                FnArg::Receiver(receiver) => captures.receiver(receiver, uses_self)?,
                FnArg::Typed(argument) => captures.argument(argument, body)?,
            }
        }
        Ok(captures)
    }

    fn receiver(&mut self, receiver: &Receiver, is_used: bool) -> Result<()> {
        let is_borrowed = match &*receiver.ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                return Err(Error::new(
                    receiver.span(),
                    "a cached method cannot take `&mut self`: a hit does not run it; take `&self`",
                ));
            }
            ty => matches!(ty, Type::Reference(_)),
        };
        if !is_used {
            return Ok(());
        }
        let (this, span) = (this(), receiver.self_token);
        if is_borrowed {
            self.copies
                .extend(quote!(let #this = ::std::borrow::ToOwned::to_owned(#span);));
            self.bindings.extend(quote!(let #this = &#this;));
        } else {
            self.copies
                .extend(quote!(let #this = ::std::borrow::ToOwned::to_owned(&#span);));
        }
        Ok(())
    }

    fn argument(&mut self, argument: &PatType, body: &Block) -> Result<()> {
        let borrowed = match &*argument.ty {
            Type::Reference(reference) => {
                if reference.mutability.is_some() {
                    return Err(Error::new(
                        argument.ty.span(),
                        "a cached function cannot take a `&mut` argument: a hit does not run it; \
                         take it by value or as `&`",
                    ));
                }
                refuse_references(&reference.elem)?;
                Some(&reference.elem)
            }
            ty => {
                refuse_references(ty)?;
                None
            }
        };
        let Some(ty) = borrowed else {
            return Ok(());
        };
        let is_mutable = matches!(&*argument.pat, Pat::Ident(name) if name.mutability.is_some());
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
        refuse_unnamed(ty)?;
        self.copies
            .extend(quote!(let #name = ::std::borrow::ToOwned::to_owned(#name);));
        let mutability = is_mutable.then(|| quote!(mut));
        self.bindings
            .extend(quote!(let #mutability #name: &#ty = &#name;));
        Ok(())
    }
}

fn typed(signature: &Signature) -> impl Iterator<Item = &PatType> {
    signature
        .inputs
        .iter()
        .filter_map(|argument| match argument {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        })
}

fn name(argument: &PatType) -> Option<Ident> {
    match &*argument.pat {
        Pat::Ident(name) if name.subpat.is_none() => Some(name.ident.clone()),
        _ => None,
    }
}

/// Returns whether `tokens` mention a variable, including in a text such as `"{name}"`.
fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Literal(text) => text.to_string().contains(&format!("{{{}", name.unraw())),
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) => false,
    })
}

/// Removes `mut` from references, which the load copies under the same name: the body has its own.
pub(crate) fn without_mut(signature: &mut Signature) {
    for argument in &mut signature.inputs {
        if let FnArg::Typed(argument) = argument
            && let (Type::Reference(_), Pat::Ident(name)) = (&*argument.ty, &mut *argument.pat)
        {
            name.mutability = None;
        }
    }
}

/// Refuses a type with which a copy cannot be declared.
fn refuse_unnamed(ty: &Type) -> Result<()> {
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
fn refuse_references(ty: &Type) -> Result<()> {
    struct Find(Option<Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
            let is_static = reference
                .lifetime
                .as_ref()
                .is_some_and(|it| it.ident == "static");
            if !is_static {
                self.0.get_or_insert(reference.span());
            }
        }
        fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert(lifetime.span());
            }
        }
        // It declares lifetimes of its own.
        fn visit_type_bare_fn(&mut self, _: &'ast syn::TypeBareFn) {}
    }
    let mut find = Find(None);
    find.visit_type(ty);
    match find.0 {
        None => Ok(()),
        Some(span) => Err(Error::new(
            span,
            "the load outlives the call, and cannot hold this reference: take an owned type, or a \
             plain reference such as `&str` or `&T`",
        )),
    }
}
