//! The tower layer: the response cache in front of a service.

mod bypassed;
mod future;
mod layer;
mod service;
mod unsafe_request;

pub use future::ResponseCacheFuture;
pub use layer::ResponseCacheLayer;
pub use service::ResponseCache;
