//! The limit in front of a service.

mod conditions;
mod future;
mod headers;
mod layer;
mod policy;
mod refund;
mod response;
mod service;

pub use future::RateLimitFuture;
pub use headers::Headers;
pub use layer::RateLimitLayer;
pub use policy::Unkeyed;
pub use refund::Settlement;
pub use service::RateLimit;
