//! The public behaviour of the structures, on every store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod failover;
mod fenced;
mod lock;
mod semaphore;
mod support;
