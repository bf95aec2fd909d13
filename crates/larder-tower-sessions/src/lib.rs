#![doc = include_str!("../README.md")]

mod form;
mod previous;
mod store;

pub use previous::WithPrevious;
pub use store::LarderStore;
