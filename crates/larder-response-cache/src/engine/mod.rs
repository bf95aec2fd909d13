//! The rules of a cache, as pure functions: RFC 9111, and what stands around it.
//!
//! Nothing here waits, stores or knows of tower. Every parser takes any bytes without a panic, and
//! reads what is broken against reuse.

mod cache_control;
mod date;
mod fields;
mod freshness;
mod head;
mod invalidation;
mod list;
mod range;
mod reuse;
mod selection;
mod stale;
mod status;
mod storable;
mod targeted;
mod validation;

pub use cache_control::{CacheControl, MAX_DELTA};
pub use date::{date, format_date};
pub use fields::{freshen, strip};
pub use freshness::{Exchange, Freshness};
pub use head::{HeadEffect, effect_of_head};
pub use invalidation::{is_safe, targets};
pub use range::{ByteRange, Ranged, range};
pub use reuse::{RequestRules, Reuse, Rules};
pub use selection::{MAX_SELECTING, Selecting, VariantId};
pub use stale::Failure;
pub use storable::{Candidate, Profile, Refusal};
pub use targeted::directives;
pub use validation::{Validators, is_not_modified, not_modified};

/// Whether the responses are kept for everybody or for one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// For everybody: a proxy, a server.
    #[default]
    Shared,
    /// For one user: `private` may be stored, and `s-maxage` and `proxy-revalidate` mean nothing.
    Private,
}
