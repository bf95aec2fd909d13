//! The long proofs: seeded, bounded in time, each with a table in `docs/` that it writes.
//!
//! `./scripts/prove NAME` runs one. Each has a short form among the tests, which runs the same code
//! for less long.

pub mod bus_loss;
pub mod cancel;
pub mod conformance;
pub mod consistency;
pub mod damage;
pub mod events;
pub mod faults;
pub mod fuzz;
pub mod http;
pub mod leases;
mod limits;
pub mod locks;
pub mod model;
pub mod mutants;
pub mod narrow;
mod page;
pub mod process;
mod proof;
pub mod queue;
pub mod rate_limits;
pub mod session_races;
pub mod soak;
pub mod stores;
pub mod structures;
mod table;
pub mod tag_removal;
pub mod valkey;
pub mod write_behind;

pub use limits::{Choice, Limits};
pub use page::{Page, write_or_check};
pub use proof::{PROOFS, Proof, proofs_with};
pub use table::{Cell, Table};
