//! Turns values into bytes for the far store, and back.

#[cfg(any(feature = "json", feature = "msgpack", feature = "postcard"))]
mod format;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "postcard")]
mod postcard;

use larder_store::{Error, ErrorKind, Result};

#[cfg(feature = "json")]
pub use json::Json;
#[cfg(feature = "msgpack")]
pub use msgpack::MsgPack;
#[cfg(feature = "postcard")]
pub use postcard::Postcard;

/// Turns values of type `V` into bytes for the far store, and back.
///
/// # Implementing
/// Give it an [`id`](Self::id) of its own, from 128 on. The id is stored beside each value, and a
/// value of another codec is a miss. `decode` gets the bytes that an `encode` of this id wrote, or
/// any bytes at all if others may write to the store: it must not panic, and must not allocate more
/// than a small multiple of their length.
pub trait Codec<V>: Send + Sync + 'static {
    /// Returns the number that identifies the codec. Numbers below 128 are larder's own.
    fn id(&self) -> u8;

    /// Appends the value.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], with the operation `encode`, if the value cannot be written in this
    /// codec. The text must not contain the value.
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<()>;

    /// Reads a value. Returns None if the bytes are not one.
    fn decode(&self, bytes: &[u8]) -> Option<V>;

    /// Checks that `bytes`, which were just encoded, read back as `value`.
    ///
    /// The cache calls it before each far write, so that a value which cannot be read back is
    /// refused there, rather than missed on every read. The default decodes the bytes. larder's
    /// codecs also compare what both values serialize to: a `Some(None)` that would read back as
    /// `None` is refused.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], with the operation `encode`, if they do not. The text must not contain
    /// the value.
    fn verify(&self, value: &V, bytes: &[u8]) -> Result<()> {
        let _ = value;
        match self.decode(bytes) {
            Some(_) => Ok(()),
            None => Err(Error::new(
                "encode",
                ErrorKind::Invalid,
                format!("codec {} cannot read back what it wrote", self.id()),
            )),
        }
    }
}

#[cfg(test)]
#[cfg(all(feature = "json", feature = "msgpack", feature = "postcard"))]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::format::Format;
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Film {
        title: String,
        year: Option<i32>,
        minutes: u16,
        rating: f64,
        cast: Vec<String>,
        words: BTreeMap<String, u64>,
    }

    fn film() -> impl Strategy<Value = Film> {
        (
            any::<String>(),
            any::<Option<i32>>(),
            any::<u16>(),
            -1e300..1e300_f64,
            any::<Vec<String>>(),
            any::<BTreeMap<String, u64>>(),
        )
            .prop_map(|(title, year, minutes, rating, cast, words)| Film {
                title,
                year,
                minutes,
                rating,
                cast,
                words,
            })
    }

    fn keeps<V: Debug + PartialEq + 'static>(codec: &dyn Codec<V>, value: &V) {
        let mut bytes = vec![1, 2, 3];
        codec.encode(value, &mut bytes).unwrap();
        assert_eq!(codec.decode(&bytes[3..]).as_ref(), Some(value));
        // With bytes left over, it is not what was written.
        bytes.push(0);
        assert_eq!(codec.decode(&bytes[3..]), None);
    }

    proptest! {
        #[test]
        fn every_codec_gives_back_what_it_was_given(film in film()) {
            keeps(&MsgPack, &film);
            keeps(&Postcard, &film);
            keeps(&Json, &film);
        }

        #[test]
        fn no_codec_panics_on_noise(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let codecs: [&dyn Codec<Film>; 3] = [&MsgPack, &Postcard, &Json];
            for codec in codecs {
                let _ = codec.decode(&noise);
            }
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Nested(Vec<Nested>);

    #[test]
    fn a_bottomless_value_is_refused_before_the_stack_ends() {
        // 0x91 opens a list of one in MessagePack.
        assert!(Codec::<Nested>::decode(&MsgPack, &[0x91; 100_000]).is_none());
        assert!(Codec::<Nested>::decode(&Json, "[".repeat(100_000).as_bytes()).is_none());
    }

    #[test]
    fn a_field_that_was_added_with_a_default_reads_old_values() {
        #[derive(Serialize)]
        struct Old {
            title: String,
        }
        #[derive(Debug, PartialEq, Deserialize, Serialize)]
        struct New {
            #[serde(default)]
            year: u16,
            title: String,
        }
        let old = Old {
            title: "Metropolis".to_owned(),
        };
        let mut bytes = Vec::new();
        MsgPack::write(&old, &mut bytes).unwrap();
        let new: New = Codec::decode(&MsgPack, &bytes).unwrap();
        assert_eq!((new.year, new.title.as_str()), (0, "Metropolis"));
    }

    #[test]
    fn what_cannot_be_written_is_an_error_without_the_value() {
        let value = BTreeMap::from([((1, "secret".to_owned()), 2)]);
        let mut bytes = Vec::new();
        let error =
            Codec::<BTreeMap<(i32, String), i32>>::encode(&Json, &value, &mut bytes).unwrap_err();
        assert!(
            error.to_string().contains("choose MsgPack or Postcard"),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
