//! The responses that clients get: bodies, `Cache-Status`, and responses from stored ones.

mod body;
mod cache_status;
mod recording_limit;
mod serve;
mod tee;

pub use body::ResponseCacheBody;
pub(crate) use cache_status::{CacheStatus, ForwardReason, is_name};
pub(crate) use recording_limit::RecordingLimit;
pub(crate) use serve::serve;
pub(crate) use tee::{Sink, tee};
