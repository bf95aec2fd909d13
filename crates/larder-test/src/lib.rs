//! The laws that every larder store keeps, and servers and faults for tests.

mod fixture;

pub use fixture::Fixture;
