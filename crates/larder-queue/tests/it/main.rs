//! The public behaviour of the queue, on every store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod enqueue;
mod groups;
mod idle;
mod leases;
mod limits;
mod partitioned;
mod races;
mod support;
