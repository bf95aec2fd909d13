use std::sync::Arc;

use crate::{CacheBuilder, CacheKey};

/// Returns whether a value that was read from the far store may be used.
pub(crate) type Check<V> = Arc<dyn Fn(&V) -> bool + Send + Sync>;

impl<K: CacheKey, V: Send + Sync + 'static> CacheBuilder<K, V> {
    /// Compresses the values of the far store from some length on. Default: it does not.
    ///
    /// [`with_max_value`](Self::with_max_value) bounds a value before it is compressed, and what is
    /// read back: bytes that claim to be longer are damaged, and cost nothing more.
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    pub fn with_compression(mut self, compression: crate::Compression) -> Self {
        self.packing.compression = Some(compression);
        self
    }

    /// Encrypts and authenticates the values of the far store. Default: it does not.
    ///
    /// For a store that others may read or write. A value that is not sealed is then damaged, and
    /// one that was sealed with a key which is not known here is a miss.
    #[cfg(feature = "seal")]
    pub fn with_sealing(mut self, keys: crate::SealingKeys) -> Self {
        self.packing.sealing = Some(keys);
        self
    }

    /// Sets a check of each value that is read from the far store. Default: none.
    ///
    /// A value for which it returns false is a miss, and counted. It is for a value that still
    /// decodes, but means something else to this release; [`with_schema`](Self::with_schema)
    /// leaves all values of an earlier release. It must be quick, and must not panic.
    pub fn with_check(mut self, check: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }
}
