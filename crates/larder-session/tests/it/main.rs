//! Sessions, as a browser sees them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod audit;
#[cfg(feature = "axum")]
mod axum;
mod cookies;
mod data;
mod devices;
mod end_reasons;
mod failing;
mod in_flight;
mod metrics;
mod races;
mod responses;
mod secrets;
mod shapes;
mod sign_in;
mod streams;
mod support;
mod time;
mod tower_shape;
