#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "serde")]
mod digest;
pub mod envelope;
mod health;
#[cfg(feature = "http")]
pub mod http;
mod near;
#[cfg(feature = "seal")]
mod sealing;
mod single_flight;
pub mod tags;
mod timeout;

#[cfg(feature = "serde")]
pub use digest::same_to_serde;
pub use health::StoreHealth;
pub use near::{Capacity, Generation, Held, NearCache, Weigher};
#[cfg(feature = "seal")]
pub use sealing::{OpenFailure, SealingKeys};
pub use single_flight::{Failure, Follower, Joined, Leader, SingleFlight};
pub use timeout::StoreTimeout;
