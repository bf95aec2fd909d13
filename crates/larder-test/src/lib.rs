//! The laws that every larder store keeps, and servers and faults for tests.
//!
//! - [`laws!`] proves a backend, or a decorator that keeps the contract: one test for each law.
//! - [`ModelStore`] is the reference, on a clock that a test moves.
//! - [`Faulty`](faulty::Faulty) fails, hangs, is slow or lies when a test says so.
//! - [`trace`](mod@trace) holds the two forms of a program against each other.
//! - [`service`] probes a tower layer for the mistakes that compile.
//! - [`broken`] holds deliberately broken stores, which prove that each law can fail.
//! - `server` starts real servers that no test can leave behind.

pub mod broken;
pub mod faulty;
mod fixture;
pub mod laws;
mod model;
pub mod records;
#[cfg(unix)]
pub mod server;
pub mod service;
pub mod trace;

pub use fixture::{Fixture, ManualFixture};
pub use model::ModelStore;
