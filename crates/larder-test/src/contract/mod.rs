//! Proves stores: the laws, the stores that break them, and the reference model.

pub mod broken;
pub(crate) mod fixture;
pub mod laws;
pub(crate) mod model;
pub mod records;
pub mod trace;
