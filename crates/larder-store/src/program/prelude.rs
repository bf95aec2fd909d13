//! Everything that a program is written with.
//!
//! ```
//! use larder_store::program::prelude::*;
//! ```

pub use super::{
    Arg, Args, Effect, FromWire, Inspection, MAX_INT, Program, Programs, Record, Script, Slot, Wire,
};
pub use crate::{Key, Kind, Result, Timestamp, Ttl, arguments, record};
