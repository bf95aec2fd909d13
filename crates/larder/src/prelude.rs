//! The names that most applications import.
//!
//! ```
//! use larder::prelude::*;
//!
//! const FILM: Kind = Kind::evictable("film");
//! let key = Key::new(FILM, 12_u32);
//! assert_eq!(key.as_str(), "film:{12}");
//! ```

#[cfg(feature = "cache")]
#[doc(no_inline)]
pub use larder_cache::Cache;
#[cfg(feature = "rate-limit")]
#[doc(no_inline)]
pub use larder_rate_limit::{KeyBy, Quota, RateLimitLayer, RateLimiter};
#[cfg(feature = "response-cache")]
#[doc(no_inline)]
pub use larder_response_cache::ResponseCacheLayer;
#[cfg(all(feature = "session", feature = "axum"))]
#[doc(no_inline)]
pub use larder_session::RequireUser;
#[cfg(feature = "session")]
#[doc(no_inline)]
pub use larder_session::{Session, SessionKey, SessionLayer, Sessions};
#[doc(no_inline)]
pub use larder_store::{Identity, Key, Kind, Store, StoreExt, Ttl};
