//! The public behaviour of the structures, on every store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod counter;
mod leaderboard;
mod ledger;
mod support;
mod unique_count;
mod update;
