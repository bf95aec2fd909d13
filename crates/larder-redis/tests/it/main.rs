//! The Redis store against real servers.

#![cfg(unix)]
// Clippy exempts the tests, but not their helpers.
#![allow(clippy::unwrap_used)]

mod black_holes;
mod bus;
mod canary;
mod cluster;
mod errors;
mod failures;
mod handshake;
mod leases;
mod lent_pool;
mod log;
mod lost_answers;
mod managed;
mod order;
mod programs;
mod replica_reads;
mod replicas;
mod runtimes;
mod scan;
mod sentinels;
mod spawned;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod users;
mod values;
mod virtual_time;
mod waits;
