//! The records under keys, as bytes.

mod decode;
mod encode;

use std::sync::Arc;

use bytes::Bytes;
use larder_layer::envelope;
use larder_store::Key;

use super::stored_response::{DateInfo, StoredResponse};
use super::variant_index::VariantIndex;
use crate::policy::ResponsePolicy;

/// The magic of the [envelope] of a record: three letters, and the version of the layout.
///
/// The payload begins with a byte that identifies the kind of record.
const MAGIC: [u8; 4] = *b"lrr\x05";

const RESPONSE: u8 = 1;
const VARIANTS: u8 = 2;
const RESERVATION: u8 = 3;

/// The maximum number of headers of a stored response. A response with more is neither written nor
/// read.
const MAX_HEADERS: usize = 1024;

/// The content of a key.
#[derive(Clone)]
pub(crate) enum Record {
    Response(Arc<StoredResponse>),
    /// The variants of a URI.
    Variants(Arc<VariantIndex>),
    /// No response yet: one will be stored here, unless a purge removes this first.
    Reservation,
}

impl Record {
    /// Returns the bytes of this record under `key`, or None if there are too many.
    pub(super) fn encode(&self, key: &Key) -> Option<Bytes> {
        let mut out = Vec::with_capacity(envelope::LEN + self.weight());
        out.resize(envelope::LEN, 0);
        match self {
            Self::Response(response) => {
                out.push(RESPONSE);
                encode::response(response, &mut out)?;
            }
            Self::Variants(index) => {
                out.push(VARIANTS);
                encode::variants(index, &mut out)?;
            }
            Self::Reservation => out.push(RESERVATION),
        }
        envelope::seal(MAGIC, key, &mut out)?;
        Some(out.into())
    }

    /// Returns the record that was written under `key`, or None for any other bytes.
    ///
    /// Its headers and its body are slices of `bytes`: nothing is copied.
    pub(super) fn decode(bytes: &Bytes, key: &Key, policy: &ResponsePolicy) -> Option<Self> {
        let payload = envelope::open(MAGIC, key, bytes)?;
        let (kind, payload) = payload.split_first()?;
        let payload = bytes.slice_ref(payload);
        match *kind {
            RESPONSE => Some(Self::Response(Arc::new(decode::response(payload, policy)?))),
            VARIANTS => Some(Self::Variants(Arc::new(decode::variants(payload)?))),
            RESERVATION => payload.is_empty().then_some(Self::Reservation),
            _ => None,
        }
    }

    /// Returns its approximate weight, in bytes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Response(response) => response.weight(),
            Self::Variants(index) => 512 + 64 * index.variants.len(),
            Self::Reservation => 64,
        }
    }
}

#[cfg(test)]
mod tests;
