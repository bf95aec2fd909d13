#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod background;
pub mod blob;
pub mod buckets;
pub mod counter;
pub mod fenced;
pub mod leaderboard;
pub mod ledger;
pub mod lock;
mod member;
pub mod member_set;
pub mod membership;
mod metrics;
mod number;
mod ordered;
pub mod recent_list;
pub mod record;
mod records;
#[cfg(test)]
mod traces;
pub mod unique_count;
pub mod update;

pub use member::MAX_MEMBER;
pub use metrics::describe_metrics;
