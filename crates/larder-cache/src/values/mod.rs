//! Compresses and seals encoded values on their way to the far store, and reverses both.

mod compression;
mod format;
mod packing;
mod settings;

#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use compression::Compression;
pub(crate) use format::{Unreadable, ValueFormat};
#[cfg(feature = "seal")]
pub use larder_layer::SealingKeys;
pub(crate) use packing::{Packing, Unpacked};
pub(crate) use settings::Check;
