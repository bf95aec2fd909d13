#![doc = include_str!("../README.md")]

pub mod broken;
pub mod faulty;
mod fixture;
pub mod laws;
mod model;
mod port;
pub mod proxy;
pub mod records;
#[cfg(unix)]
pub mod server;
pub mod service;
pub mod trace;

pub use fixture::{Fixture, ManualFixture, RealTimeFixture};
pub use model::ModelStore;
