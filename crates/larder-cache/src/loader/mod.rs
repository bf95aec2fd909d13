//! The cache in front of any tower service.

mod future;
mod layer;
mod service;

pub use future::ResponseFuture;
pub use layer::LoaderLayer;
pub use service::Loader;
