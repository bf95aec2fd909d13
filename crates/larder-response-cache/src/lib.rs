#![doc = include_str!("../README.md")]

mod asked;
mod body;
mod builder;
mod cache_status;
mod carry;
mod content;
pub mod engine;
mod entry;
mod far;
mod fetch;
#[cfg(test)]
mod fixture;
mod flights;
mod forward;
mod front;
mod future;
mod index;
mod invalidate;
mod key;
mod layer;
mod metrics;
mod passes;
mod passing;
mod pump;
mod purger;
mod query;
mod record;
mod recording;
mod scan;
mod serve;
mod service;
mod shared;
mod stamp;
mod storage;
mod view;

pub use body::ResponseBody;
pub use builder::ResponseCacheBuilder;
pub use engine::Profile;
pub use future::ResponseFuture;
pub use layer::ResponseCacheLayer;
pub use purger::Purger;
pub use service::ResponseCache;
