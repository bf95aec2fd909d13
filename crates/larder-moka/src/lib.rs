#![doc = include_str!("../README.md")]

mod builder;
mod bus;
mod cache;
mod leases;
mod pinned;
mod programs;
mod scan;
mod store;

pub use builder::{
    DEFAULT_CACHE_BYTES, DEFAULT_LEASES, DEFAULT_PINNED_CAP, DEFAULT_SUBSCRIPTIONS,
    MokaStoreBuilder,
};
pub use cache::ENTRY_OVERHEAD;
pub use pinned::MAX_PARTITIONS;
pub use store::MokaStore;

#[cfg(test)]
mod tests;
