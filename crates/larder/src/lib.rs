#![doc = include_str!("../README.md")]

mod connect;
pub mod prelude;

pub use connect::connect;

#[cfg(feature = "cache")]
#[doc(inline)]
pub use larder_cache as cache;
#[cfg(feature = "moka")]
#[doc(inline)]
pub use larder_moka as moka;
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
