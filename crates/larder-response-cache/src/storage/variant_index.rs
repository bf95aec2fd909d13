use larder_store::{Key, Timestamp, Version};
use smallvec::SmallVec;

use crate::engine::{SelectingFields, VariantId};
use crate::request::RESPONSE;

/// What a URI with several variants holds under its own key: by which fields its variants are
/// selected, and which there are (RFC 9111, 4.1).
///
/// Its name is random, and part of the key of each variant: an index that is purged takes them all
/// with it, also those that are being stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VariantIndex {
    pub(crate) name: Version,
    pub(crate) selecting: SelectingFields,
    /// Oldest first.
    pub(crate) variants: Vec<VariantId>,
    /// When the last of them ends in the store.
    pub(crate) until: Timestamp,
}

impl VariantIndex {
    pub(crate) fn new(selecting: SelectingFields) -> Self {
        Self {
            name: Version::random(),
            selecting,
            variants: Vec::new(),
            until: Timestamp::default(),
        }
    }

    /// Adds a variant, and takes out the oldest past `cap`.
    pub(crate) fn add(&mut self, variant: VariantId, cap: usize) -> Option<VariantId> {
        self.variants.push(variant);
        (self.variants.len() > cap).then(|| self.variants.remove(0))
    }

    /// The key of a variant in the front.
    pub(crate) fn near(&self, variant: VariantId) -> SmallVec<[u8; 128]> {
        let mut key = SmallVec::from_slice(b"v");
        key.extend_from_slice(self.name.as_bytes());
        key.extend_from_slice(variant.as_bytes());
        key
    }

    /// The key of a variant in the store.
    pub(crate) fn far(&self, variant: VariantId) -> Key {
        Key::new(RESPONSE, self.near(variant).as_slice())
    }
}
