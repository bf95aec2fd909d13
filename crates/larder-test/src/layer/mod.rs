//! Tests layers: a store and a service that fail on demand, log lines, and checks of metrics.

pub mod faulty;
mod metric_names;
mod metric_values;
pub mod service;
mod subscribe;

pub use metric_names::MetricNames;
pub use metric_values::MetricValues;
pub use subscribe::subscribe;
