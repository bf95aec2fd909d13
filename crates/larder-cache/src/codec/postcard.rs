use larder_store::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, not_encodable};

/// postcard: the smallest and fastest, and without names, so that a struct that changes in any way
/// needs a new schema number.
///
/// Not for a type that contains itself where someone else may write to the store: nothing bounds
/// how deep a value is nested, and crafted bytes end the stack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

impl<V: Serialize + DeserializeOwned> Codec<V> for Postcard {
    fn id(&self) -> u8 {
        2
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        *out = postcard::to_extend(value, std::mem::take(out))
            .map_err(|_| not_encodable("postcard"))?;
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Option<V> {
        let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(value)
    }
}
