#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "serde")]
mod digest;
pub mod envelope;
mod health;
#[cfg(feature = "http")]
pub mod http;
mod near;
mod pending;
mod replay;
#[cfg(feature = "seal")]
mod sealing;
mod shared_gauges;
mod single_flight;
pub mod tags;
mod timeout;

#[cfg(feature = "serde")]
pub use digest::same_to_serde;
pub use health::StoreHealth;
pub use near::{Capacity, Generation, Held, NearCache, Weigher};
pub use pending::Pending;
pub use replay::{Replay, ReplayTask, replay};
#[cfg(feature = "seal")]
pub use sealing::{OpenFailure, SealingKeys};
pub use shared_gauges::SharedGauges;
pub use single_flight::{Failure, Follower, Joined, Leader, SingleFlight};
pub use timeout::StoreTimeout;
