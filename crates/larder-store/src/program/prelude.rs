//! Everything that you need to write a program.
//!
//! ```
//! use larder_store::program::prelude::*;
//! ```

pub use super::{
    Arg, Args, Effect, FromWire, Inspection, MAX_INT, Program, Programs, Record, Script, Slot, Wire,
};
pub use crate::{Key, Kind, Result, Timestamp, Ttl, arguments, record};
