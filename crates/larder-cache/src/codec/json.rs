use larder_store::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Codec;
use super::format::{self, Format};

/// JSON: readable in the store, and two to three times slower than the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Format for Json {
    const NAME: &'static str = "Json";
    const HUMAN_READABLE: bool = true;

    fn write<V: Serialize>(value: &V, out: &mut Vec<u8>) -> Option<()> {
        serde_json::to_writer(out, value).ok()
    }

    fn read<V: DeserializeOwned>(bytes: &[u8]) -> Option<V> {
        serde_json::from_slice(bytes).ok()
    }
}

impl<V: Serialize + DeserializeOwned> Codec<V> for Json {
    fn id(&self) -> u8 {
        3
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
