//! The public behaviour of topics and event logs, in process and on Redis.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod consumer;
mod log;
mod model;
mod retention;
mod support;
mod topic;
