use std::any::type_name;

use larder_layer::same_to_serde;
use larder_store::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A format of serde.
pub(super) trait Format {
    /// The name of the codec type.
    const NAME: &'static str;

    /// Whether types with two forms are written as text.
    const HUMAN_READABLE: bool;

    /// Appends the value, or returns None if it cannot be written.
    fn write<V: Serialize>(value: &V, out: &mut Vec<u8>) -> Option<()>;

    /// Reads a value, or returns None if the bytes are not one.
    fn read<V: DeserializeOwned>(bytes: &[u8]) -> Option<V>;
}

/// Makes a codec of a format, with this id.
macro_rules! codec {
    ($format:ty, $id:literal) => {
        impl<V: Serialize + DeserializeOwned> super::Codec<V> for $format {
            fn id(&self) -> u8 {
                $id
            }

            fn encode(&self, value: &V, out: &mut Vec<u8>) -> larder_store::Result<()> {
                super::format::encode::<Self, V>(value, out)
            }

            fn decode(&self, bytes: &[u8]) -> Option<V> {
                Self::read(bytes)
            }

            fn verify(&self, value: &V, bytes: &[u8]) -> larder_store::Result<()> {
                super::format::verify::<Self, V>(value, bytes)
            }
        }
    };
}

pub(super) use codec;

/// Appends the value.
///
/// # Errors
/// [`ErrorKind::Invalid`], naming the codecs that can write the value.
pub(super) fn encode<F: Format, V: Serialize + DeserializeOwned>(
    value: &V,
    out: &mut Vec<u8>,
) -> Result<()> {
    F::write(value, out).ok_or_else(|| refusal::<F, V>(value))
}

/// Reads the bytes back, and compares the result with `value`.
///
/// # Errors
/// [`ErrorKind::Invalid`] if they cannot be read or are another value. It names the codecs that can
/// read the value back.
pub(super) fn verify<F: Format, V: Serialize + DeserializeOwned>(
    value: &V,
    bytes: &[u8],
) -> Result<()> {
    if reads_back::<F, V>(value, bytes) {
        Ok(())
    } else {
        Err(refusal::<F, V>(value))
    }
}

fn reads_back<F: Format, V: Serialize + DeserializeOwned>(value: &V, bytes: &[u8]) -> bool {
    F::read::<V>(bytes).is_some_and(|read| same_to_serde(value, &read, F::HUMAN_READABLE))
}

/// Returns the error of a value that `F` cannot read back.
///
/// It names the type, never the value. A codec's own error may contain parts of the value.
fn refusal<F: Format, V: Serialize + DeserializeOwned>(value: &V) -> Error {
    let able = able(value);
    let advice = if able.is_empty() {
        let absent = absent();
        let absent = if absent.is_empty() {
            String::new()
        } else {
            format!(", or try the feature {}", absent.join(" or "))
        };
        format!(
            "no codec of this build can: change the shape of the type (larder's docs/caching.md \
             lists what each codec keeps){absent}"
        )
    } else {
        let able = able.join(" or ");
        format!("choose {able}, which can: with_far_codec(store, ..)")
    };
    let detail = format!(
        "{} cannot read back this value of type {}: {advice}",
        F::NAME,
        type_name::<V>()
    );
    Error::new("encode", ErrorKind::Invalid, detail)
}

/// Returns the codecs of this build that can read the value back.
fn able<V: Serialize + DeserializeOwned>(value: &V) -> Vec<&'static str> {
    let tried = [
        #[cfg(feature = "msgpack")]
        tried::<super::MsgPack, V>(value),
        #[cfg(feature = "postcard")]
        tried::<super::Postcard, V>(value),
        #[cfg(feature = "json")]
        tried::<super::Json, V>(value),
    ];
    tried.into_iter().flatten().collect()
}

fn tried<F: Format, V: Serialize + DeserializeOwned>(value: &V) -> Option<&'static str> {
    let mut bytes = Vec::new();
    F::write(value, &mut bytes)?;
    reads_back::<F, V>(value, &bytes).then_some(F::NAME)
}

/// Returns the features of the codecs that this build does not have.
fn absent() -> Vec<&'static str> {
    let features = [
        ("msgpack", cfg!(feature = "msgpack")),
        ("postcard", cfg!(feature = "postcard")),
        ("json", cfg!(feature = "json")),
    ];
    features
        .into_iter()
        .filter_map(|(name, present)| (!present).then_some(name))
        .collect()
}
