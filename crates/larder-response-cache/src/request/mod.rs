//! Requests as the cache sees them: their key, their headers, and what may be reused for them.

mod bypass;
mod cache_request;
mod content;
mod headers;
mod key;
mod policy;
mod query;
mod target;

pub(crate) use bypass::BypassReason;
pub(crate) use cache_request::CacheRequest;
pub(crate) use headers::is_grpc;
pub(crate) use key::{PrimaryKey, RESPONSE, TAG, consistent_tag_key, tag_changes_key, tag_key};
pub(crate) use policy::RequestPolicy;
pub(crate) use query::QueryFilter;
pub(crate) use target::OwnedTarget;
