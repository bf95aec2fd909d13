//! Tests layers: stores and a service that fail or lag on demand, log lines, and checks of metrics.

pub mod faulty;
mod lagging;
mod metric_names;
mod metric_values;
pub mod service;
mod subscribe;

pub use lagging::Lagging;
pub use metric_names::MetricNames;
pub use metric_values::MetricValues;
pub use subscribe::subscribe;
