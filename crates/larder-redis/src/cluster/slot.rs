//! Computes the slot of a key.
//!
//! See the [Redis Cluster specification, "Key distribution
//! model"](https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).

use crc::{CRC_16_XMODEM, Crc};

/// The number of slots of a cluster.
pub(crate) const SLOTS: u16 = 16_384;

static CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// Returns the slot of a key: the checksum of its hash tag.
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    CRC.checksum(tag(key)) % SLOTS
}

/// Returns the text in the first braces, or the whole key if it has none or they are empty.
fn tag(key: &[u8]) -> &[u8] {
    let inside = || {
        let (_, after) = split(key, b'{')?;
        let (tag, _) = split(after, b'}')?;
        (!tag.is_empty()).then_some(tag)
    };
    inside().unwrap_or(key)
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let found = bytes.iter().position(|&byte| byte == at)?;
    Some((&bytes[..found], &bytes[found + 1..]))
}

#[cfg(test)]
mod tests {
    use larder_store::{Key, Kind, Namespace};

    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(CRC.checksum(b"123456789"), 0x31C3);
        for (key, slot) in [
            (&b"foo"[..], 12_182),
            (b"bar", 5_061),
            (b"", 0),
            (b"{user1000}.following", slot_of(b"user1000")),
            (b"foo{}{bar}", slot_of(b"foo{}{bar}")),
            (b"foo{{bar}}zap", slot_of(b"{bar")),
            (b"foo{bar}{zap}", 5_061),
        ] {
            assert_eq!(slot_of(key), slot, "{}", String::from_utf8_lossy(key));
        }
        assert_ne!(slot_of(b"foo{}{bar}"), 5_061);
    }

    #[test]
    fn all_physical_keys_of_a_record_are_in_one_slot() {
        let record = Kind::record("record");
        let namespace = Namespace::new("prod", "app").unwrap();
        for id in ["", "a", "}{", "x:y", "ünï", &"long".repeat(100)] {
            let key = Key::new(record, id);
            let tag = key.as_str();
            let tag = &tag["record:{".len()..tag.len() - 1];
            let expected = slot_of(tag.as_bytes());
            for key in [key.clone(), key.within(&namespace)] {
                assert_eq!(slot_of(key.as_bytes()), expected);
                for part in ["log", "~deadlines"] {
                    let mut cmd = ::redis::Cmd::new();
                    crate::program_step::write_key(&mut cmd, &key, part);
                    let ::redis::Arg::Simple(bytes) = cmd.args_iter().next().unwrap() else {
                        panic!("a command without an argument");
                    };
                    assert!(bytes.len() > key.as_bytes().len());
                    assert_eq!(slot_of(bytes), expected);
                }
            }
        }
    }
}
