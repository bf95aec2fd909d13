#![doc = include_str!("../README.md")]

#[doc(hidden)]
pub mod attributes;
mod builder;
mod cache;
mod codec;
mod envelope;
mod error;
mod far;
mod found;
mod invalidation;
mod leader;
mod lifetime;
mod load;
mod loader;
mod metrics;
mod write_locks;

pub use builder::CacheBuilder;
pub use cache::{Cache, CacheKey};
pub use codec::Codec;
#[cfg(feature = "json")]
pub use codec::Json;
#[cfg(feature = "msgpack")]
pub use codec::MsgPack;
#[cfg(feature = "postcard")]
pub use codec::Postcard;
pub use error::LoadError;
pub use found::{Found, Loaded, Source};
pub use loader::{Loader, LoaderLayer, ResponseFuture};
