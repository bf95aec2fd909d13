use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Block, Ident, ItemFn, Local, PatIdent, Signature, UseName, UseRename};

use crate::names::mentions;

/// Returns whether a body, or an argument, gives the function's own name to something else.
pub(crate) fn declares_own_name(body: &Block, signature: &Signature) -> bool {
    let mut find = Find {
        name: &signature.ident,
        is_found: false,
    };
    find.visit_block(body);
    for argument in &signature.inputs {
        find.visit_fn_arg(argument);
    }
    find.is_found
}

struct Find<'a> {
    name: &'a Ident,
    is_found: bool,
}

impl<'ast> Visit<'ast> for Find<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        // What it declares inside is its own.
        self.is_found |= function.sig.ident == *self.name;
    }

    fn visit_use_name(&mut self, it: &'ast UseName) {
        self.is_found |= it.ident == *self.name;
    }

    fn visit_use_rename(&mut self, it: &'ast UseRename) {
        self.is_found |= it.rename == *self.name;
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let value = local.init.as_ref().map(|it| it.expr.to_token_stream());
        // In `let film = film(id)` the second name is the function's own.
        if value.is_none_or(|value| !mentions(value, self.name)) {
            visit::visit_local(self, local);
        }
    }

    fn visit_pat_ident(&mut self, variable: &'ast PatIdent) {
        self.is_found |= variable.ident == *self.name;
        visit::visit_pat_ident(self, variable);
    }
}
