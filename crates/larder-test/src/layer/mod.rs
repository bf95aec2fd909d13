//! Tests layers: a store and a service that fail on demand.

pub mod faulty;
pub mod service;
