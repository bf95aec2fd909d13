//! The doctor, surveys and removals against real servers.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod doctor;
mod keys;
#[cfg(feature = "page")]
mod page;
mod records;
mod support;
