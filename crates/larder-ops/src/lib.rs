#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

#[doc(hidden)]
pub mod counted;
pub mod doctor;
mod fields;
pub mod keys;
#[cfg(feature = "page")]
pub mod page;
pub mod records;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod time;
pub mod vitals;
