use larder_store::{Key, Timestamp, Version};
use smallvec::SmallVec;

use crate::engine::{SelectingFields, VariantId};
use crate::request::RESPONSE;

/// The variants of a URI, and the request fields that select them (RFC 9111, 4.1).
///
/// Its id is random, and part of the key of each variant. So a purge of the index removes all
/// variants, including those that are being stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VariantIndex {
    pub(crate) id: Version,
    pub(crate) selecting: SelectingFields,
    /// Oldest first.
    pub(crate) variants: Vec<VariantId>,
    /// When the last of them expires in the store.
    pub(crate) until: Timestamp,
}

impl VariantIndex {
    pub(crate) fn new(selecting: SelectingFields) -> Self {
        Self {
            id: Version::random(),
            selecting,
            variants: Vec::new(),
            until: Timestamp::default(),
        }
    }

    /// Adds a variant. Returns the oldest one, which it removed, if there were `max` already.
    pub(crate) fn add(&mut self, variant: VariantId, max: usize) -> Option<VariantId> {
        self.variants.push(variant);
        (self.variants.len() > max).then(|| self.variants.remove(0))
    }

    /// Returns the key of a variant in this process.
    pub(crate) fn near_key(&self, variant: VariantId) -> SmallVec<[u8; 128]> {
        let mut key = SmallVec::from_slice(b"v");
        key.extend_from_slice(self.id.as_bytes());
        key.extend_from_slice(variant.as_bytes());
        key
    }

    /// Returns the key of a variant in the store.
    pub(crate) fn far_key(&self, variant: VariantId) -> Key {
        Key::new(RESPONSE, self.near_key(variant).as_slice())
    }
}
