//! The format of a value in Redis: 16 bytes of version, then the value.

use std::io::Write;

use ::redis::{Cmd, RedisWrite};
use bytes::{Buf, Bytes};
use larder_store::{Entry, Key, Put, Version, count_poisoned};

/// Adds the framed value of `put` to a command, without a copy of its own.
pub(crate) fn write(command: &mut Cmd, put: &Put) {
    let mut argument = command.writer_for_next_arg();
    // Writing to memory does not fail.
    let _ = argument.write_all(put.version().as_bytes());
    let _ = argument.write_all(put.value());
}

/// Returns the length of the framed value of `put`, in bytes.
pub(crate) fn length(put: &Put) -> usize {
    Version::LEN + put.value().len()
}

/// Returns the entry that was stored at `key`, which shares the bytes of the reply. Bytes too short
/// for a version are not an entry, and are counted.
pub(crate) fn read(key: &Key, bytes: Vec<u8>) -> Option<Entry> {
    let Some(version) = bytes.first_chunk() else {
        count_poisoned(key.kind());
        return None;
    };
    let version = Version::from_bytes(*version);
    let mut value = Bytes::from(bytes);
    // Unlike a slice, it owns only the bytes, which saves an allocation.
    value.advance(Version::LEN);
    Some(Entry { value, version })
}

#[cfg(test)]
mod tests {
    use larder_store::{Kind, Ttl};

    use super::*;

    const KIND: Kind = Kind::evictable("kind");

    #[test]
    fn a_written_value_is_read_back() {
        for value in [&b""[..], b"\0\xff", &[7; 1000]] {
            let put = Put::new(Key::new(KIND, 1_u8), value.to_vec(), Ttl::from_secs(1));
            let mut command = Cmd::new();
            write(&mut command, &put);
            let ::redis::Arg::Simple(bytes) = command.args_iter().next().unwrap() else {
                panic!("a command without an argument");
            };
            let bytes = bytes.to_vec();
            assert_eq!(bytes.len(), length(&put));
            let entry = read(put.key(), bytes).unwrap();
            assert_eq!((&entry.value[..], entry.version), (value, put.version()));
        }
    }

    #[test]
    fn bytes_without_a_version_are_not_an_entry() {
        for length in 0..Version::LEN {
            assert_eq!(read(&Key::new(KIND, 1_u8), vec![7; length]), None);
        }
    }
}
