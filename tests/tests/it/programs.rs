//! Programs: their two forms held against each other, and broken ones that must be caught.

mod gcra;
pub(crate) mod pair;
