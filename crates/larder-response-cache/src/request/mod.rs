//! What a request asks of the cache: its key, its headers, and what it lets the cache reuse.

mod bypass;
mod cache_request;
mod content;
mod headers;
mod key;
mod query;

pub(crate) use bypass::BypassReason;
pub(crate) use cache_request::{CacheRequest, Origin, may_store};
pub(crate) use content::{Framing, has_content};
pub(crate) use headers::{Host, RequestHeaders, is_grpc};
pub(crate) use key::{
    FORWARDED_HEADERS, OVERRIDE_HEADERS, PrimaryKey, RESPONSE, TAG, Target, hosts, path, requested,
    tag_changes_key, target,
};
pub(crate) use query::QueryFilter;
