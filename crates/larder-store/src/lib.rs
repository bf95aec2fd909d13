#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations)]

pub mod bus;
mod clock;
mod condition;
mod delete;
mod entry;
mod error;
mod identity;
mod key;
pub mod lease;
mod metrics;
mod outcome;
mod prefixed;
pub mod program;
mod put;
mod request;
pub mod scan;
mod sharded;
mod store;
mod ttl;
mod version;
pub mod wait;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use condition::Condition;
pub use delete::Delete;
pub use entry::{Entry, count_poisoned};
pub use error::{Error, ErrorKind, Refusal, Result};
pub use identity::Identity;
pub use key::{
    Content, IdWriter, Key, KeyId, KeyPrefix, Kind, MAX_ID, Namespace, Part, Space, check_name,
    is_name,
};
pub use metrics::describe_metrics;
pub use outcome::{DeleteOutcome, ExpireOutcome, PutOutcome};
pub use prefixed::Prefixed;
pub use put::{DEFAULT_MAX_VALUE, Put};
pub use sharded::{MAX_SHARDS, Shard, Sharded};
pub use store::{SettleOutcome, Store, StoreExt};
pub use ttl::Ttl;
pub use version::Version;
