//! Matinee as its visitors see it: the real program, as one process on `memory://` and as two processes
//! that share a Redis, tested over HTTP.
//!
//! An [`App`](app::App) is the app with one or more servers, a process each. Each assertion is written
//! once, for any app, and `on_both_backends!` makes a test of it for each backend.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are shown, not asserted")]

#[macro_use]
mod plan;
mod app;
mod server;
mod visitor;

mod accounts;
mod admin;
mod cache;
mod catalogue;
mod corpus;
mod errors;
mod faults;
mod figures;
mod flood;
mod hosts;
mod limits;
mod mail;
mod operations;
mod operators;
mod protocol;
mod restart;
mod seats;
mod shutdown;
#[cfg(target_os = "linux")]
mod soak;
mod start;
