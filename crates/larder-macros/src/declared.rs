use syn::visit::{self, Visit};
use syn::{Block, FnArg, Ident, Item, Pat, Signature, Stmt, UseName, UseRename};

use crate::names::variables;

/// Returns whether an argument gives the function's own name to something else.
pub(crate) fn is_argument(signature: &Signature) -> bool {
    let mut arguments = signature.inputs.iter();
    arguments.any(|argument| match argument {
        FnArg::Receiver(_) => false,
        FnArg::Typed(argument) => has_variable(&argument.pat, &signature.ident),
    })
}

/// Returns whether an item of a block has a name, which the whole block sees.
pub(crate) fn has_item(block: &Block, name: &Ident) -> bool {
    let mut statements = block.stmts.iter();
    statements.any(|statement| match statement {
        Stmt::Item(item) => is_named(item, name),
        _ => false,
    })
}

/// Returns whether a statement gives a name to a variable, which the statements after it see.
pub(crate) fn lets(statement: &Stmt, name: &Ident) -> bool {
    matches!(statement, Stmt::Local(local) if has_variable(&local.pat, name))
}

fn has_variable(pattern: &Pat, name: &Ident) -> bool {
    let variables = variables(pattern);
    variables.iter().any(|variable| variable.ident == *name)
}

/// Returns whether an item is a function, or an import, of that name.
fn is_named(item: &Item, name: &Ident) -> bool {
    match item {
        Item::Fn(function) => function.sig.ident == *name,
        Item::Use(import) => {
            let mut find = Imports {
                name,
                is_found: false,
            };
            find.visit_item_use(import);
            find.is_found
        }
        _ => false,
    }
}

struct Imports<'a> {
    name: &'a Ident,
    is_found: bool,
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_use_name(&mut self, it: &'ast UseName) {
        self.is_found |= it.ident == *self.name;
        visit::visit_use_name(self, it);
    }

    fn visit_use_rename(&mut self, it: &'ast UseRename) {
        self.is_found |= it.rename == *self.name;
        visit::visit_use_rename(self, it);
    }
}
