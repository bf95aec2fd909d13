//! Leases: a table of those that are held, and a fence that only rises.

mod follow;
mod table;

pub(crate) use follow::follow;
pub(crate) use table::LeaseTable;
