//! Matinee as its visitors meet it: the real program, as one process on `memory://` and as two that
//! share a Redis, asked over HTTP.
//!
//! A [`House`](house::House) is the app with one door for each process. What is asserted is written
//! once, for any house, and `on_both_backends!` makes a test of it for each backend.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are shown, not asserted")]

#[macro_use]
mod plan;
mod door;
mod house;
mod visitor;

mod accounts;
mod admin;
mod cache;
mod catalogue;
mod corpus;
mod errors;
mod faults;
mod flood;
mod hosts;
mod limits;
mod operators;
mod protocol;
mod restart;
mod seats;
mod shutdown;
mod start;
