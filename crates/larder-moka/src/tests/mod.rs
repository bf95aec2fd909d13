//! Statements about the whole store, on a clock that stands still.

mod bus;
mod cache;
mod caps;
mod conditions;
mod expired;
mod leases;
mod records;
mod scan;
mod support;
mod upkeep;
mod wakers;
