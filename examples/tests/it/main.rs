//! Runs every example, and compares what it prints with its page.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod benchmarks;
mod curl;
mod errors;
mod example;
mod examples;
mod front_page;
mod links;
mod pages;
mod proxy;
mod stampede;
mod template;
mod transcript;
mod workflows;
