//! The public behaviour of the structures, on every store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod counter;
mod leaderboard;
mod support;
