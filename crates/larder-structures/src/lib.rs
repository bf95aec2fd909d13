#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod counter;
pub mod leaderboard;
mod member;
mod number;
mod ordered;
mod records;
#[cfg(test)]
mod traces;

pub use member::MAX_MEMBER;
