//! What the cache promises, as its callers see it.

#![allow(clippy::unwrap_used)]

mod building;
mod cancellation;
mod expiry;
mod failures;
mod far;
mod invalidation;
mod loader_layer;
mod secrecy;
#[cfg(all(feature = "json", feature = "postcard"))]
mod shapes;
mod single_flight;
mod support;
mod tags;
#[cfg(all(
    feature = "json",
    feature = "postcard",
    feature = "lz4",
    feature = "zstd",
    feature = "seal"
))]
mod values;
