#![doc = include_str!("../README.md")]

mod bus;
mod clock;
mod condition;
mod delete;
mod entry;
mod error;
mod identity;
mod key;
mod lease;
mod poison;
mod prefixed;
mod program;
mod put;
mod scan;
mod store;
mod ttl;
mod version;

pub use bus::{
    Bus, Channel, DEFAULT_BUFFER, Event, Interest, MAX_MESSAGE, Mailbox, Message, Pattern,
    Subscription, Topic, check_message, mailbox,
};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use condition::Condition;
pub use delete::Delete;
pub use entry::Entry;
pub use error::{Error, ErrorKind, Refusal, Result};
pub use identity::Identity;
pub use key::{Form, IdWriter, Key, KeyId, Kind, MAX_ID, Namespace, Part, Space};
pub use lease::{Claim, Claimed, Fence, Leases};
pub use poison::count_poisoned;
pub use prefixed::Prefixed;
pub use program::{
    Args, Call, Calls, Cell, Effect, Inspection, MAX_INT, Program, Programs, Record, Run, Script,
    Slot, Wire,
};
pub use put::{DEFAULT_MAX_VALUE, Put};
pub use scan::{Cursor, MAX_PAGE, Page, Scan};
pub use store::{Settled, Store, StoreExt};
pub use ttl::Ttl;
pub use version::Version;
