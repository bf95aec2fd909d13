//! The programs that the migration guides move away from. They are compiled, and not run.
//!
//! Those of tower-sessions and axum-login are in `tests/`, where they are played.

#![allow(dead_code, reason = "they are compiled, and not run")]

mod apalis;
mod axum_response_cache;
mod bb8_redis;
mod cached;
mod moka;
mod tower_governor;

fn main() {}
