//! The public behaviour of a rate limit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod axum_router;
mod edges;
mod exact;
mod failing;
mod full;
mod keys;
mod layer;
mod limiter;
mod metrics;
mod refunds;
mod refusals;
mod support;
mod tower_shape;
mod users;
