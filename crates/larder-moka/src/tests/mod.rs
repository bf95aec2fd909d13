//! Tests of the whole store, on a manual clock.

mod bus;
mod cache;
mod caps;
mod conditions;
mod leases;
mod records;
mod scan;
mod support;
mod upkeep;
mod wakers;
