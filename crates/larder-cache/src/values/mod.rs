//! Compresses and seals encoded values on their way to the far store, and reverses both.

mod compression;
mod packing;
#[cfg(feature = "seal")]
mod sealing;
mod settings;

#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use compression::Compression;
pub(crate) use packing::{Packing, Unpacked};
#[cfg(feature = "seal")]
pub use sealing::SealingKeys;
pub(crate) use settings::Check;
