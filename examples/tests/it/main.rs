//! Every example, as it is run by whoever reads it: what its page says is what it prints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod curl;
mod example;
mod examples;
mod front_page;
mod pages;
mod proxy;
mod transcript;
