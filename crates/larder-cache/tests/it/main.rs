//! What the cache guarantees to its callers.

#![allow(clippy::unwrap_used)]

mod batches;
mod building;
mod cancellation;
mod changes;
mod consistency;
mod elections;
mod expiry;
mod failures;
mod far;
mod far_only;
mod gone;
mod idle;
mod invalidated;
mod invalidation;
mod journal;
mod left_writes;
mod leftovers;
mod loader_layer;
mod messages;
mod options;
mod recursion;
mod releases;
mod secrecy;
mod seeing;
#[cfg(all(feature = "json", feature = "postcard"))]
mod shapes;
mod shards;
mod single_flight;
mod staleness;
mod support;
mod tag_changes;
mod tags;
mod tiers;
#[cfg(all(
    feature = "json",
    feature = "postcard",
    feature = "lz4",
    feature = "zstd",
    feature = "seal"
))]
mod values;
mod write_behind;
mod writing;
