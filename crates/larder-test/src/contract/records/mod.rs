//! Small records with small programs, in Lua and in Rust, for tests of stores.
//!
//! The laws use them, and so can a test of a backend or of a decorator.

mod impostor;
mod journal;
mod ring;
mod tally;

pub use impostor::{Impostor, InspectImpostor, Mark};
pub use journal::{Append, ClearJournal, InspectJournal, Journal, Lines, ReadJournal};
pub use ring::Ring;
pub use tally::{Add, ClearTally, InspectTally, ReadTally, Tally, TellTime};
