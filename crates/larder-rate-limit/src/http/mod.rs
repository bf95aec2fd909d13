//! The limit in front of a service.

mod access_lists;
mod conditions;
mod decider;
mod deciding;
mod future;
mod idle_settings;
mod layer;
mod limit;
mod refusal_memory;
mod response;
mod service;
mod settling;
mod verdict;
mod without_store;

pub use access_lists::AccessLists;
pub use decider::Unkeyed;
pub use future::RateLimitFuture;

pub use layer::RateLimitLayer;
pub use limit::Limit;
pub use refusal_memory::RefusalMemory;
pub use service::RateLimit;
pub use settling::Settlement;
