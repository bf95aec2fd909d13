//! Tests stores: the laws, stores that break them, and the reference store.

pub mod broken;
pub(crate) mod fixture;
pub mod laws;
pub(crate) mod model;
pub mod records;
pub mod trace;
