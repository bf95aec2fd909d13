//! Each command against real servers, as a call in this process.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;
mod cache;
mod hostile;
mod lists;
mod queue;
mod records;
mod servers;
mod session;
mod support;
