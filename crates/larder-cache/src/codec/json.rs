use serde::Serialize;
use serde::de::DeserializeOwned;

use super::format::{Format, codec};

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

codec!(Json, 3);
