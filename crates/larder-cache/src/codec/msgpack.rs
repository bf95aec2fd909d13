use larder_store::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Codec;
use super::format::{self, Format};

/// The deepest nesting, as in JSON: enough for data, too little to overflow a stack.
const MAX_DEPTH: usize = 128;

/// MessagePack with named fields: compact, and a struct may gain fields that have a default.
///
/// It keeps what JSON keeps and more: enums of every representation, flattened structs, maps with
/// any keys, bytes. A type with two forms, such as an address, is written as text, because serde
/// asks for the text inside a tagged or flattened value.
#[derive(Clone, Copy, Debug, Default)]
pub struct MsgPack;

impl Format for MsgPack {
    const NAME: &'static str = "MsgPack";
    const HUMAN_READABLE: bool = true;

    fn write<V: Serialize>(value: &V, out: &mut Vec<u8>) -> Option<()> {
        let mut serializer = rmp_serde::Serializer::new(out)
            .with_struct_map()
            .with_human_readable();
        value.serialize(&mut serializer).ok()
    }

    fn read<V: DeserializeOwned>(mut bytes: &[u8]) -> Option<V> {
        let mut deserializer = rmp_serde::Deserializer::new(&mut bytes).with_human_readable();
        deserializer.set_max_depth(MAX_DEPTH);
        let value = V::deserialize(&mut deserializer).ok()?;
        bytes.is_empty().then_some(value)
    }
}

impl<V: Serialize + DeserializeOwned> Codec<V> for MsgPack {
    fn id(&self) -> u8 {
        // 1 wrote types with two forms in the shorter one.
        4
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        format::encode::<Self, V>(value, out)
    }

    fn decode(&self, bytes: &[u8]) -> Option<V> {
        Self::read(bytes)
    }

    fn verify(&self, value: &V, bytes: &[u8]) -> Result<()> {
        format::verify::<Self, V>(value, bytes)
    }
}
