//! Workers, on a store in process and on Redis.

mod edges;
mod leases;
mod outcomes;
mod places;
mod seeing;
mod shutdown;
mod store;
pub(crate) mod support;
