#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connect;
pub mod prelude;
mod telemetry;

pub use connect::connect;
pub use telemetry::{buckets, describe_metrics};

#[cfg(feature = "cache")]
#[doc(inline)]
pub use larder_cache as cache;
#[cfg(feature = "events")]
#[doc(inline)]
pub use larder_events as events;
/// The attributes `#[cached]` and `#[invalidates]`, as `larder-macros` describes them.
///
/// ```
/// use larder::cache::Cache;
/// use larder::macros::{cached, invalidates};
///
/// struct Films {
///     titles: Cache<u32, String>,
/// }
///
/// impl Films {
///     #[cached(cache = self.titles, key = id)]
///     async fn title(&self, id: u32) -> std::io::Result<String> {
///         Ok(format!("film {id}")) // A query, in a real service.
///     }
///
///     #[invalidates(cache = self.titles, key = id)]
///     async fn rename(&self, id: u32) -> larder::Result<()> {
///         Ok(()) // A change, in a real service.
///     }
/// }
/// ```
#[cfg(feature = "macros")]
pub mod macros {
    pub use larder_macros::{cached_by_larder as cached, invalidates_by_larder as invalidates};
}
#[cfg(feature = "moka")]
#[doc(inline)]
pub use larder_moka as moka;
#[cfg(feature = "ops")]
#[doc(inline)]
pub use larder_ops as ops;
#[cfg(feature = "queue")]
#[doc(inline)]
pub use larder_queue as queue;
#[cfg(feature = "rate-limit")]
#[doc(inline)]
pub use larder_rate_limit as rate_limit;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use larder_redis as redis;
#[cfg(feature = "response-cache")]
#[doc(inline)]
pub use larder_response_cache as response_cache;
#[cfg(feature = "session")]
#[doc(inline)]
pub use larder_session as session;
#[doc(inline)]
pub use larder_store as store;
#[cfg(feature = "structures")]
#[doc(inline)]
pub use larder_structures as structures;

#[doc = include_str!("errors.md")]
#[doc(inline)]
pub use larder_store::Error;
#[doc(no_inline)]
pub use larder_store::{ErrorKind, Key, Kind, Namespace, Prefixed, Result, Store, Ttl};
