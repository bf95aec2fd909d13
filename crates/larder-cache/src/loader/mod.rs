//! The cache in front of any tower service.

mod future;
mod layer;
mod service;

pub use future::LoaderFuture;
pub use layer::LoaderLayer;
pub use service::Loader;
