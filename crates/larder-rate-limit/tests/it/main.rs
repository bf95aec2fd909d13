//! The public behaviour of a rate limit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod algorithms;
mod asked_directly;
mod axum_router;
#[cfg(feature = "calendar")]
mod calendars;
mod dead_server;
mod desk;
mod edges;
mod exact;
mod exact_everywhere;
mod failing;
mod full;
mod guesses;
mod hammering;
mod holds;
mod idle_settings;
mod keys;
mod layer;
mod limiter;
mod limits;
mod lists;
mod memory;
mod metrics;
mod places;
mod plans;
mod policies;
mod ready;
mod refunds;
mod refusals;
mod several;
mod slow_stores;
mod support;
mod tower_shape;
mod users;
mod world;
mod worst_cases;
