//! Small records with small programs, for tests of stores: each in Lua and in Rust.
//!
//! The laws run them; a test of a backend or of a decorator may too.

mod impostor;
mod journal;
mod ring;
mod tally;

pub use impostor::{Impostor, InspectImpostor, Mark};
pub use journal::{Append, ClearJournal, InspectJournal, Journal, Lines, ReadJournal};
pub use ring::Ring;
pub use tally::{Add, ClearTally, InspectTally, ReadTally, Tally, TellTime};
