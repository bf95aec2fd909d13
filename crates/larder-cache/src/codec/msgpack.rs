use serde::Serialize;
use serde::de::DeserializeOwned;

use super::format::{Format, codec};

/// The maximum nesting, as in JSON: enough for data, too little to overflow a stack.
const MAX_DEPTH: usize = 128;

/// MessagePack with named fields: compact, and a struct may gain fields that have a default.
///
/// It keeps everything that JSON keeps, and more: enums of every representation, flattened structs,
/// maps with any keys, bytes. A type that serializes both as text and as binary, such as an
/// address, is written as text, because serde expects text inside a tagged or flattened value.
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
        if !lengths_fit(bytes) {
            return None;
        }
        let mut deserializer = rmp_serde::Deserializer::new(&mut bytes).with_human_readable();
        deserializer.set_max_depth(MAX_DEPTH);
        let value = V::deserialize(&mut deserializer).ok()?;
        bytes.is_empty().then_some(value)
    }
}

/// Returns whether no announced length exceeds the bytes that follow it, without decoding anything.
///
/// A decoder reserves memory for the items that a list announces. Nested lists that announce more
/// than there is would cost a megabyte for each level.
fn lengths_fit(bytes: &[u8]) -> bool {
    let (mut rest, mut expected) = (bytes, 1_usize);
    while expected > 0 {
        let Some((marker, after)) = rest.split_first() else {
            return false;
        };
        // The size of the length field after the marker; the bytes and the items that follow it,
        // not counting those that the field announces.
        let (length, bytes, items) = match marker {
            0x80..=0x8F => (0, 0, 2 * usize::from(marker & 0x0F)),
            0x90..=0x9F => (0, 0, usize::from(marker & 0x0F)),
            0xA0..=0xBF => (0, usize::from(marker & 0x1F), 0),
            0xC4 | 0xD9 => (1, 0, 0),
            0xC5 | 0xDA | 0xDC | 0xDE => (2, 0, 0),
            0xC6 | 0xDB | 0xDD | 0xDF => (4, 0, 0),
            0xC7 => (1, 1, 0),
            0xC8 => (2, 1, 0),
            0xC9 => (4, 1, 0),
            0xCC | 0xD0 => (0, 1, 0),
            0xCD | 0xD1 => (0, 2, 0),
            0xCA | 0xCE | 0xD2 => (0, 4, 0),
            0xCB | 0xCF | 0xD3 => (0, 8, 0),
            0xD4..=0xD8 => (0, 1 + (1 << (marker - 0xD4)), 0),
            _ => (0, 0, 0),
        };
        let Some((announced, after)) = after.split_at_checked(length) else {
            return false;
        };
        let announced = announced
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (bytes, items) = match marker {
            0xDC | 0xDD => (bytes, announced),
            0xDE | 0xDF => (bytes, announced.saturating_mul(2)),
            _ => (bytes.saturating_add(announced), items),
        };
        let Some(after) = after.get(bytes..) else {
            return false;
        };
        // Each item takes a byte at least.
        expected = (expected - 1).saturating_add(items);
        if expected > after.len() {
            return false;
        }
        rest = after;
    }
    true
}

// Version 1 wrote types that have two forms in the shorter one.
codec!(MsgPack, 4);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree(Vec<Tree>);

    fn written<V: Serialize>(value: &V) -> Vec<u8> {
        let mut bytes = Vec::new();
        MsgPack::write(value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn every_length_that_is_written_fits() {
        type Map = BTreeMap<u32, i64>;
        type Read = (Vec<u32>, Map, String, f32, f64, Option<bool>, ());
        for length in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
            let list: Vec<u32> = (0..length).map(|at| at * 40_001).collect();
            let map: BTreeMap<_, _> = list.iter().map(|at| (*at, -i64::from(*at))).collect();
            let text = "x".repeat(length as usize);
            let whole = written(&(&list, &map, &text, 0.5_f32, 0.5_f64, Some(true), ()));
            assert!(lengths_fit(&whole), "{length}");
            let read: Option<Read> = MsgPack::read(&whole);
            assert_eq!(read.unwrap().0, list);
            assert!(!lengths_fit(&whole[..whole.len() - 1]), "{length}, cut");
        }
    }

    #[test]
    fn bytes_and_extensions_are_skipped_whole() {
        for (marker, length, rest) in [
            (0xC4, &[3][..], 3),
            (0xC5, &[0, 3], 3),
            (0xC6, &[0, 0, 0, 3], 3),
            (0xC7, &[3], 4),
            (0xC8, &[0, 3], 4),
            (0xC9, &[0, 0, 0, 3], 4),
            (0xD4, &[], 2),
            (0xD5, &[], 3),
            (0xD6, &[], 5),
            (0xD7, &[], 9),
            (0xD8, &[], 17),
        ] {
            let mut bytes = vec![0x92, marker];
            bytes.extend_from_slice(length);
            bytes.extend(std::iter::repeat_n(0xFF, rest));
            bytes.push(0x07);
            assert!(lengths_fit(&bytes), "{marker:x}");
            bytes.pop();
            assert!(!lengths_fit(&bytes), "{marker:x}");
        }
    }

    #[test]
    fn a_nest_of_lists_that_announce_more_than_there_is_is_refused() {
        let nest = [0xDD, 0xFF, 0xFF, 0xFF, 0xFF].repeat(120);
        assert!(!lengths_fit(&nest));
        assert_eq!(MsgPack::read::<Tree>(&nest), None);
    }
}
