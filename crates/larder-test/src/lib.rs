#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod contract;
mod harness;
mod layer;

pub use contract::fixture::{Fixture, ManualFixture, RealTimeFixture};
pub use contract::model::ModelStore;
pub use contract::{broken, laws, records, trace};
pub use harness::proxy;
#[cfg(unix)]
pub use harness::server;
pub use layer::{Lagging, MetricNames, MetricValues, faulty, service, subscribe};
