//! Computes the slot of a key.

use std::fmt::Write as _;
use std::io;

/// The number of slots of a cluster.
pub(super) const SLOTS: u16 = 16_384;

/// Returns the slot of a key: CRC16 of its hash tag, or of the whole key without one, modulo 16,384.
///
/// The hash tag is the text between the first `{` and the next `}`, if it is not empty
/// ([Redis cluster specification], "Key distribution model").
///
/// [Redis cluster specification]: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
pub fn slot_of(key: impl AsRef<[u8]>) -> u16 {
    crc16(hashed_part(key.as_ref())) % SLOTS
}

fn hashed_part(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else {
        return key;
    };
    let inside = &key[open + 1..];
    match inside.iter().position(|&byte| byte == b'}') {
        None | Some(0) => key,
        Some(close) => &inside[..close],
    }
}

/// CRC16 in the variant of XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum: u16, &byte| {
        (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| {
            if sum & 0x8000 == 0 {
                sum << 1
            } else {
                sum << 1 ^ 0x1021
            }
        })
    })
}

/// Returns a key in `slot` that no test uses.
pub(super) fn probe(slot: u16) -> String {
    let mut key = String::new();
    // One number in about 16,000 is in the slot, so this takes milliseconds.
    for number in 0u32.. {
        key.clear();
        // Writing to a string does not fail.
        let _ = write!(key, "larder-harness:{{{number}}}");
        if slot_of(&key) == slot {
            break;
        }
    }
    key
}

pub(super) fn out_of_range(slot: u16) -> io::Error {
    let text = format!("slot {slot} does not exist: the last one is {}", SLOTS - 1);
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of("foo"), 12_182);
        assert_eq!(slot_of("a{foo}b{bar}"), slot_of("foo"));
        assert_eq!(slot_of("a{}{foo}"), crc16(b"a{}{foo}") % SLOTS);
        assert_eq!(slot_of("{{foo}}"), slot_of("{foo"));
        assert_eq!(slot_of("{foo"), crc16(b"{foo") % SLOTS);
    }

    #[test]
    fn every_slot_has_a_probe() {
        for slot in [0, 1, 5_461, SLOTS - 1] {
            assert_eq!(slot_of(probe(slot)), slot);
        }
    }
}
