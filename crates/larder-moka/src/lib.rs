#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]

mod builder;
mod bus;
mod cache;
mod leases;
mod pinned;
mod store;

pub use builder::{
    DEFAULT_MAX_CACHE_BYTES, DEFAULT_MAX_KEYS_PER_KIND, DEFAULT_MAX_LEASES,
    DEFAULT_MAX_SUBSCRIPTIONS, MokaStoreBuilder,
};
pub use cache::ENTRY_OVERHEAD;
pub use pinned::MAX_PARTITIONS;
pub use store::MokaStore;

#[cfg(test)]
mod tests;
