//! The public behaviour of the structures, on every store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blob;
mod buckets;
mod counter;
mod debug;
mod failover;
mod fenced;
mod lagging;
mod leaderboard;
mod ledger;
mod lock;
mod member_set;
mod membership;
mod metrics;
mod model;
mod recent_list;
mod record;
mod scripted;
mod semaphore;
mod support;
mod unique_count;
mod update;
