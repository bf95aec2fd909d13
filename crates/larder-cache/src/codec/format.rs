use std::any::type_name;

use larder_layer::same_to_serde;
use larder_store::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One way to write what a value tells serde.
pub(super) trait Format {
    /// The name of the codec, as it is written in code.
    const NAME: &'static str;

    /// Whether types that know two forms are asked for the one that people read.
    const HUMAN_READABLE: bool;

    /// Appends the value. None if it cannot be written.
    fn write<V: Serialize>(value: &V, out: &mut Vec<u8>) -> Option<()>;

    /// Reads a value. None if the bytes are not one.
    fn read<V: DeserializeOwned>(bytes: &[u8]) -> Option<V>;
}

/// Appends the value.
///
/// # Errors
/// [`ErrorKind::Invalid`], with the codecs that can write it.
pub(super) fn encode<F: Format, V: Serialize + DeserializeOwned>(
    value: &V,
    out: &mut Vec<u8>,
) -> Result<()> {
    F::write(value, out).ok_or_else(|| refusal::<F, V>(value))
}

/// Reads back what was written of the value, and compares.
///
/// # Errors
/// [`ErrorKind::Invalid`] where it cannot be read or is another value, with the codecs that give
/// it back.
pub(super) fn verify<F: Format, V: Serialize + DeserializeOwned>(
    value: &V,
    bytes: &[u8],
) -> Result<()> {
    if gives_back::<F, V>(value, bytes) {
        Ok(())
    } else {
        Err(refusal::<F, V>(value))
    }
}

fn gives_back<F: Format, V: Serialize + DeserializeOwned>(value: &V, bytes: &[u8]) -> bool {
    F::read::<V>(bytes).is_some_and(|read| same_to_serde(value, &read, F::HUMAN_READABLE))
}

/// The error of a value that does not come back from `F`.
///
/// It names the type, never the value; a codec's own error may hold parts of that.
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
            "nor does any other codec of this build: change its shape (larder's docs/caching.md \
             lists what each codec keeps){absent}"
        )
    } else {
        let able = able.join(" or ");
        format!("choose {able}, which does, by with_far_codec(store, ..)")
    };
    let detail = format!(
        "{} does not give back this value of type {}: {advice}",
        F::NAME,
        type_name::<V>()
    );
    Error::new("encode", ErrorKind::Invalid, detail)
}

/// The codecs of this build that give the value back.
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
    gives_back::<F, V>(value, &bytes).then_some(F::NAME)
}

/// The features with codecs that this build does not have.
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
