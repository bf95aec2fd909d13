//! The Redis store against real servers.

#![cfg(unix)]

mod failures;
mod laws;
mod lent_pool;
mod programs;
mod refusals;
mod secrets;
mod start;
mod support;
mod values;
mod virtual_time;
