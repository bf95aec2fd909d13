//! Sessions, as a browser sees them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abandoned;
mod accounts;
mod audit;
#[cfg(feature = "axum")]
mod axum;
mod clear_site_data;
mod cookies;
mod csrf;
mod data;
mod devices;
mod end_reasons;
mod failing;
mod flash;
mod in_flight;
mod metrics;
mod partitioned;
mod races;
mod renewal;
mod require_user;
mod responses;
#[cfg(feature = "seal")]
mod sealing;
mod secrets;
mod shapes;
mod sign_in;
mod streams;
mod support;
mod time;
mod tower_shape;
#[cfg(feature = "axum")]
mod web_socket;
