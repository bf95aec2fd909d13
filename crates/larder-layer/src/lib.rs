#![doc = include_str!("../README.md")]

#[cfg(feature = "serde")]
mod digest;
pub mod envelope;
mod health;
#[cfg(feature = "http")]
pub mod http;
mod near;
mod single_flight;
pub mod tags;
mod timeout;

#[cfg(feature = "serde")]
pub use digest::same_to_serde;
pub use health::StoreHealth;
pub use near::{Capacity, Generation, Held, NearCache, Weigher};
pub use single_flight::{Failure, Follower, Joined, Leader, SingleFlight};
pub use timeout::StoreTimeout;
