//! How the value of a field is kept.
//!
//! An integer is `i` and decimal text, so that a store can add to it; anything else is `m` and
//! MessagePack with named fields, so that a struct may gain fields that have a default.

use bytes::Bytes;
use larder_store::MAX_INT;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// How deep a value may be nested: enough for data, too little to end a stack.
const MAX_DEPTH: usize = 128;

/// The value as it is kept.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where it cannot be written. The text does not
/// hold the value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes> {
    let mut bytes = vec![b'm'];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    value
        .serialize(&mut serializer)
        .map_err(|_| Error::invalid("a value cannot be written as MessagePack"))?;
    let int = is_int(bytes.get(1)).then(|| rmp_serde::from_slice(&bytes[1..]));
    Ok(match int {
        Some(Ok(int)) => int_to_store(int).unwrap_or_else(|| bytes.into()),
        _ => bytes.into(),
    })
}

/// The value that is kept as `bytes`.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where it is of another type.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let other = || Error::invalid("a field of the session is of another type than it is read as");
    if let Some(int) = stored_int(bytes) {
        let int = rmp_serde::to_vec(&int).map_err(|_| other())?;
        return rmp_serde::from_slice(&int).map_err(|_| other());
    }
    let mut left = bytes.strip_prefix(b"m").ok_or_else(other)?;
    let mut deserializer = rmp_serde::Deserializer::new(&mut left);
    deserializer.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut deserializer).map_err(|_| other())?;
    match left.is_empty() {
        true => Ok(value),
        false => Err(other()),
    }
}

/// The integer that is kept as `bytes`, if it is one.
pub(crate) fn stored_int(bytes: &[u8]) -> Option<i64> {
    let text = bytes.strip_prefix(b"i")?;
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if text.len() > 17 || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The integer as it is kept; nothing past 2^53.
pub(crate) fn int_to_store(int: i64) -> Option<Bytes> {
    (int.unsigned_abs() <= MAX_INT.unsigned_abs()).then(|| format!("i{int}").into())
}

/// Whether MessagePack that begins so is an integer.
fn is_int(marker: Option<&u8>) -> bool {
    matches!(marker, Some(0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff))
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::ErrorKind;

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
    fn integers_are_kept_so_that_a_store_can_add_to_them() {
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
    fn what_is_kept_comes_back() {
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
    fn a_field_of_another_type_is_an_error_that_does_not_hold_it() {
        let bytes = encode(&"secret".to_owned()).unwrap();
        let error = decode::<u8>(&bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_bottomless_value_is_refused_before_the_stack_ends() {
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
