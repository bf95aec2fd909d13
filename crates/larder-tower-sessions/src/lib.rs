#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod form;
mod previous;
mod store;

pub use previous::WithPrevious;
pub use store::LarderStore;
