//! Sessions, as a browser sees them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "axum")]
mod axum;
mod cookies;
mod data;
mod devices;
mod failing;
mod in_flight;
mod metrics;
mod races;
mod responses;
mod secrets;
mod shapes;
mod sign_in;
mod support;
mod time;
mod tower_shape;
