#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
pub mod engine;
mod explain;
mod http;
mod metrics;
mod miss;
mod pending_purges;
mod policy;
mod purger;
mod request;
mod response;
mod run_to_completion;
mod state;
mod storage;

pub use builder::ResponseCacheBuilder;
pub use engine::Profile;
pub use explain::{ResponseExplanation, UriExplanation, UriState};
pub use http::{ResponseCache, ResponseCacheFuture, ResponseCacheLayer};
pub use metrics::describe_metrics;
pub use purger::Purger;
pub use response::ResponseCacheBody;
