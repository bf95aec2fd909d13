//! Tests layers: a store and a service that fail on demand, and checks of metrics.

pub mod faulty;
mod metric_names;
pub mod service;

pub use metric_names::MetricNames;
