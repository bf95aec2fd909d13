//! The laws that every larder store keeps, and servers and faults for tests.

mod fixture;
#[cfg(unix)]
pub mod server;
pub mod trace;

pub use fixture::Fixture;
