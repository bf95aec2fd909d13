#![doc = include_str!("../README.md")]

mod form;
mod store;

pub use store::LarderStore;
