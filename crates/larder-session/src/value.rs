//! The form of a field's value in the store.
//!
//! An integer is `i` and decimal text, so that a store can add to it. Any other value is `m` and
//! MessagePack with named fields, so that a struct may gain fields that have a default. Types that serialize both
//! as text and as binary, such as addresses, are written as text: serde expects that inside tagged and flattened
//! types.

use std::any::type_name;

use bytes::Bytes;
use larder_layer::same_to_serde;
use larder_store::program::MAX_INT;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, SessionError};

/// The maximum nesting of a value: enough for data, too little to overflow the stack.
const MAX_DEPTH: usize = 128;

/// Encodes a value, and checks that it reads back as it was written.
///
/// # Errors
/// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if it does not. The error names the type, never
/// the value.
pub(crate) fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Result<Bytes> {
    let bytes = write(value).ok_or_else(refused::<T>)?;
    match read::<T>(&bytes) {
        Some(read) if same_to_serde(value, &read, true) => Ok(bytes),
        _ => Err(refused::<T>()),
    }
}

/// Decodes a stored value.
///
/// # Errors
/// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if it has another type.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    read(bytes).ok_or_else(|| {
        SessionError::invalid(format!(
            "a field of the session cannot be read as {}: read it with the type it was written \
             with, and give a changed type a new field name",
            type_name::<T>()
        ))
    })
}

fn write<T: Serialize>(value: &T) -> Option<Bytes> {
    let mut bytes = vec![b'm'];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes)
        .with_struct_map()
        .with_human_readable();
    value.serialize(&mut serializer).ok()?;
    let int = is_int(bytes.get(1)).then(|| rmp_serde::from_slice(&bytes[1..]));
    Some(match int {
        Some(Ok(int)) => int_to_store(int).unwrap_or_else(|| bytes.into()),
        _ => bytes.into(),
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if let Some(int) = stored_int(bytes) {
        return from_msgpack(&rmp_serde::to_vec(&int).ok()?);
    }
    from_msgpack(bytes.strip_prefix(b"m")?)
}

fn from_msgpack<T: DeserializeOwned>(mut bytes: &[u8]) -> Option<T> {
    let mut deserializer = rmp_serde::Deserializer::new(&mut bytes).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut deserializer).ok()?;
    bytes.is_empty().then_some(value)
}

fn refused<T>() -> SessionError {
    SessionError::invalid(format!(
        "a value of type {} does not read back from the session as it was written: change its shape \
         (larder's docs/sessions.md lists what a field keeps), or store it as text",
        type_name::<T>()
    ))
}

/// Returns the integer that `bytes` hold. None for any other value.
pub(crate) fn stored_int(bytes: &[u8]) -> Option<i64> {
    let text = bytes.strip_prefix(b"i")?;
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if text.len() > 17 || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Encodes an integer. None if it is beyond ±2^53.
pub(crate) fn int_to_store(int: i64) -> Option<Bytes> {
    (int.unsigned_abs() <= MAX_INT.unsigned_abs()).then(|| format!("i{int}").into())
}

/// Returns whether MessagePack with this first byte is an integer.
fn is_int(marker: Option<&u8>) -> bool {
    matches!(marker, Some(0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff))
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::SessionErrorKind;

    fn keeps<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let bytes = encode(&value).unwrap();
        assert_eq!(decode::<T>(&bytes).unwrap(), value);
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Cart {
        seats: Vec<(u16, String)>,
        note: Option<String>,
    }

    #[test]
    fn integers_are_stored_so_that_a_store_can_add_to_them() {
        for (bytes, int) in [
            (encode(&0_u8).unwrap(), "i0"),
            (encode(&-7_i64).unwrap(), "i-7"),
            (encode(&Some(300_u16)).unwrap(), "i300"),
            (encode(&MAX_INT).unwrap(), "i9007199254740992"),
        ] {
            assert_eq!(bytes, int);
        }
        assert_eq!(encode(&u64::MAX).unwrap()[0], b'm');
    }

    #[test]
    fn a_value_comes_back_as_it_was_written() {
        keeps(true);
        keeps(());
        keeps(u64::MAX);
        keeps(i64::MIN);
        keeps(Some(5_u8));
        keeps("seat F12".to_owned());
        keeps(Cart {
            seats: vec![(7, "F".to_owned())],
            note: None,
        });
    }

    #[test]
    fn reading_a_field_as_another_type_is_an_error_without_the_value() {
        let bytes = encode(&"secret".to_owned()).unwrap();
        let error = decode::<u8>(&bytes).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Invalid);
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_value_nested_too_deep_is_refused_before_the_stack_overflows() {
        #[derive(Debug, Deserialize)]
        struct Nested(#[allow(dead_code)] Vec<Nested>);
        let mut bytes = vec![b'm'];
        bytes.resize(100_000, 0x91);
        assert!(decode::<Nested>(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn every_integer_comes_back(int in any::<i64>(), small in any::<i16>()) {
            keeps(int);
            keeps(small);
            keeps(Some(int));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode::<Cart>(&bytes);
            let _ = decode::<i64>(&bytes);
        }
    }
}
