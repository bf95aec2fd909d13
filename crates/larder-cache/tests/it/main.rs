//! What the cache promises, as its callers see it.

#![allow(clippy::unwrap_used)]

mod building;
mod expiry;
mod failures;
mod far;
mod invalidation;
mod loader_layer;
mod secrecy;
mod single_flight;
mod support;
