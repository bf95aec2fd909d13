#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]

mod copy;
mod form;
mod previous;
mod store;

pub use previous::WithPrevious;
pub use store::LarderStore;
