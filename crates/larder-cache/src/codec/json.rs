use larder_store::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, not_encodable};

/// JSON: for people who look into the store, at two to three times the time of the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<V: Serialize + DeserializeOwned> Codec<V> for Json {
    fn id(&self) -> u8 {
        3
    }

    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value).map_err(|_| not_encodable("JSON"))
    }

    fn decode(&self, bytes: &[u8]) -> Option<V> {
        serde_json::from_slice(bytes).ok()
    }
}
