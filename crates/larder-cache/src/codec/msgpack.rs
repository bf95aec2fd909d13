use larder_store::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, not_encodable};

/// How deep a value may be nested, as in JSON: enough for data, too little to end a stack.
const MAX_DEPTH: usize = 128;

/// MessagePack with named fields: compact, and a struct may gain fields that have a default.
#[derive(Clone, Copy, Debug, Default)]
pub struct MsgPack;

impl MsgPack {
    pub(super) fn write<V: Serialize>(value: &V, out: &mut Vec<u8>) -> Result<()> {
        let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
        value
            .serialize(&mut serializer)
            .map_err(|_| not_encodable("MessagePack"))
    }
}

impl<V: Serialize + DeserializeOwned> Codec<V> for MsgPack {
    fn id(&self) -> u8 {
        1
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        Self::write(value, out)
    }

    fn decode(&self, mut bytes: &[u8]) -> Option<V> {
        let mut deserializer = rmp_serde::Deserializer::new(&mut bytes);
        deserializer.set_max_depth(MAX_DEPTH);
        let value = V::deserialize(&mut deserializer).ok()?;
        bytes.is_empty().then_some(value)
    }
}
