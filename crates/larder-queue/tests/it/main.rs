//! The public behaviour of queues, workers and periodic jobs, on every store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod cluster;
mod debug;
mod enqueue;
mod exchange;
mod groups;
mod idle;
mod large;
mod leases;
mod limits;
mod partitioned;
mod periodic;
mod poison;
mod races;
mod support;
mod worker;
