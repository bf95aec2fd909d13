//! The rules of a cache as pure functions: RFC 9111, and the RFCs around it.
//!
//! Nothing here waits, stores, or uses tower. Every parser accepts any bytes without a panic, and takes
//! malformed ones as a reason against reuse.

mod argument;
mod authority;
mod cache_control;
mod date;
mod fields;
mod freshness;
mod head;
mod invalidation;
mod list;
mod profile;
mod range;
mod refusal;
mod reuse;
mod selection;
mod stale;
mod status;
mod storable;
mod supersede;
mod targeted;
mod validation;

pub use argument::MAX_DELTA;
pub(crate) use authority::authority;
pub use cache_control::CacheControl;
pub use date::{date, format_date};
pub(crate) use fields::remove_content_digests;
pub use fields::{freshen, strip};
pub use freshness::{Exchange, Freshness};
pub use head::{HeadEffect, head_effect};
pub use invalidation::{invalidated_paths, is_safe};
pub use profile::Profile;
pub use range::{ByteRange, RangeSelection, range};
pub use refusal::Refusal;
pub use reuse::{RequestDirectives, Reuse, ReuseRules};
pub use selection::{MAX_SELECTING_FIELDS, SelectingFields, VariantId};
pub use stale::OriginFailure;
pub(crate) use status::is_gone;
pub use storable::Candidate;
pub use supersede::{invalidates_stored, may_replace_fresh};
pub use targeted::directives;
pub use validation::{Validators, is_last_modified_weak, is_not_modified, is_update, not_modified};

/// Makes headers for tests, in this order.
#[cfg(test)]
pub(crate) fn header_map(fields: &[(&'static str, &str)]) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}
