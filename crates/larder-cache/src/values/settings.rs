use std::sync::Arc;

use crate::{CacheBuilder, CacheKey};

/// Returns whether a value that was read from the far store may be used.
pub(crate) type Check<V> = Arc<dyn Fn(&V) -> bool + Send + Sync>;

impl<K: CacheKey, V: Send + Sync + 'static> CacheBuilder<K, V> {
    /// Compresses far values, from a minimum length on. Default: they are not compressed.
    ///
    /// [`with_max_value`](Self::with_max_value) limits a value before it is compressed, and after
    /// it is decompressed: bytes that claim to be longer are a miss, and cost nothing more.
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    pub fn with_compression(mut self, compression: crate::Compression) -> Self {
        self.packing.compression = Some(compression);
        self
    }

    /// Encrypts and authenticates the values of the far store. Default: they are not encrypted.
    ///
    /// Use it for a store that others may read or write. A value that is not sealed then counts as
    /// damaged, and one that was sealed with an unknown key is a miss.
    #[cfg(feature = "seal")]
    pub fn with_sealing(mut self, keys: crate::SealingKeys) -> Self {
        self.packing.sealing = Some(keys);
        self
    }

    /// Sets a check of each value that is read from the far store. Default: none.
    ///
    /// A value for which it returns false is a miss, and counted. It is for values that still
    /// decode, but have another meaning in this release; [`with_schema`](Self::with_schema) ignores
    /// all values of an earlier release. The check must be quick, and must not panic.
    pub fn with_check(mut self, check: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }
}
