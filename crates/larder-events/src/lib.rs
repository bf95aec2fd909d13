#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod json;
pub mod log;
mod metrics;
mod pause;
pub mod topic;

pub use metrics::describe_metrics;
