#![doc = include_str!("../README.md")]

mod clock;
mod entry;
mod error;
mod key;
mod poison;
mod prefixed;
mod program;
mod put;
mod store;
mod ttl;
mod version;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use entry::Entry;
pub use error::{Error, ErrorKind, Refusal, Result};
pub use key::{Form, IdWriter, Key, KeyId, Kind, MAX_ID, Namespace, Part, Space};
pub use poison::count_poisoned;
pub use prefixed::Prefixed;
pub use program::{
    Args, Call, Calls, Cell, Effect, Inspection, MAX_INT, Program, Programs, Record, Script, Slot,
    Wire,
};
pub use put::{Condition, DEFAULT_MAX_VALUE, Delete, Put};
pub use store::{Settled, Store, StoreExt};
pub use ttl::Ttl;
pub use version::Version;
