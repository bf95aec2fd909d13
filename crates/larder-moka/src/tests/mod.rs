//! Statements about the whole store, on a clock that stands still.

mod bus;
mod cache;
mod caps;
mod conditions;
mod expired;
mod records;
mod support;
mod upkeep;
