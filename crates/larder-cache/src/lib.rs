#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]

#[doc(hidden)]
pub mod attributes;
mod batch;
mod breaker;
mod builder;
mod cache;
mod change;
mod codec;
mod context;
mod election;
mod envelope;
mod error;
mod explain;
mod far;
mod found;
mod idle;
mod invalidation;
mod kept;
mod leader;
mod lifetime;
mod load;
mod loader;
mod look;
mod metrics;
mod options;
mod pending;
mod recursion;
mod remote;
mod single;
mod spans;
mod spawn;
mod stats;
mod tags;
mod values;
mod write_behind;
mod write_locks;
mod write_through;

pub use builder::CacheBuilder;
pub use cache::{Cache, CacheKey};
pub use codec::Codec;
#[cfg(feature = "json")]
pub use codec::Json;
#[cfg(feature = "msgpack")]
pub use codec::MsgPack;
#[cfg(feature = "postcard")]
pub use codec::Postcard;
pub use context::{LoadContext, Previous};
pub use error::LoadError;
pub use explain::{Checked, Explanation, Tier, TierEntry};
pub use found::{Found, Loaded, Source};
pub use loader::{Loader, LoaderFuture, LoaderLayer};
pub use metrics::describe_metrics;
pub use options::ReadOptions;
pub use single::{Cached, Only};
pub use stats::Stats;
#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use values::Compression;
#[cfg(feature = "seal")]
pub use values::SealingKeys;
pub use write_behind::{
    DeadLetter, InspectJournal, Journal, LEFT_WRITE_TIMEOUT, MAX_DEAD_LETTERS, QueuedWrite,
    Unwritten, WriteBehind, WriteBehindBuilder,
};
pub use write_through::WriteError;
