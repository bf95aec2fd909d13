//! The Redis store against real servers.

#![cfg(unix)]

mod programs;
mod support;
mod values;
