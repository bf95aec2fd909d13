use serde::Serialize;
use serde::de::DeserializeOwned;

use super::format::{Format, codec};

/// postcard: the smallest and fastest codec, without field names.
///
/// Any change to a struct needs a new schema number. It keeps nested options and units, unlike the
/// other codecs. It does not keep self-describing values: internally tagged or untagged enums and
/// flattened structs.
///
/// If others may write to the store, do not use it for two sorts of types. In a recursive one nothing
/// limits how deep a value is nested, and crafted bytes overflow the stack. In one with a list of
/// elements that take no bytes, such as `Vec<()>` or a list of empty structs, crafted bytes may announce
/// 2^64 elements, and reading them blocks the thread for years.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

impl Format for Postcard {
    const NAME: &'static str = "Postcard";
    const HUMAN_READABLE: bool = false;

    fn write<V: Serialize>(value: &V, out: &mut Vec<u8>) -> Option<()> {
        *out = postcard::to_extend(value, std::mem::take(out)).ok()?;
        Some(())
    }

    fn read<V: DeserializeOwned>(bytes: &[u8]) -> Option<V> {
        let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(value)
    }
}

codec!(Postcard, 2);
