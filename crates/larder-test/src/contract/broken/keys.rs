use larder_store::{Content, Key, Kind};

use super::{BrokenStore, Fault};

const ANY: Kind = Kind::pinned("any");

impl BrokenStore {
    /// Returns the key that the broken store uses instead of `key`.
    pub(super) fn key(&self, key: &Key) -> Key {
        if key.kind().content() == Content::Record {
            return key.clone();
        }
        let text = key.as_str();
        match self.fault {
            Some(Fault::IgnoresKinds) => {
                Key::new(ANY, text.split_once(':').map_or(text, |(_, id)| id))
            }
            Some(Fault::IgnoresParts) => {
                Key::new(ANY, text.split_once('}').map_or(text, |(id, _)| id))
            }
            Some(Fault::FoldsCase) => Key::new(ANY, text.to_lowercase()),
            Some(Fault::CutsKeys) => Key::new(ANY, &text[..text.len().min(64)]),
            Some(Fault::DropsLineEnds) => Key::new(ANY, text.replace("%0A", "").replace("%0D", "")),
            _ => key.clone(),
        }
    }
}
