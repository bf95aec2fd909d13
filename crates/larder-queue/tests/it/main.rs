//! The public behaviour of queues, workers and periodic jobs, on every store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod periodic;
mod worker;
