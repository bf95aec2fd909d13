//! The public behaviour of topics and event logs, in process and on Redis.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod consumer;
mod log;
mod losses;
mod model;
mod poison;
mod retention;
mod running;
mod stopping;
mod topic;
mod topics;
