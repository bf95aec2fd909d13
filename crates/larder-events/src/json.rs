//! Events as JSON, which any other client can read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use larder_store::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes an event.
///
/// # Errors
/// [`ErrorKind::Invalid`] if it cannot be written as JSON, and [`ErrorKind::TooLarge`] past `max`
/// bytes.
pub(crate) fn encode<T: Serialize>(
    operation: &'static str,
    event: &T,
    max: usize,
) -> Result<Bytes> {
    let bytes = serde_json::to_vec(event).map_err(|error| {
        let text = "the event cannot be written as JSON, for example because the keys of a map are not text";
        Error::new(operation, ErrorKind::Invalid, text).with_source(error)
    })?;
    if bytes.len() <= max {
        return Ok(bytes.into());
    }
    let text =
        format!("an event is at most {max} bytes of JSON: store what is longer, and send its key");
    Err(Error::new(operation, ErrorKind::TooLarge, text))
}

/// Reads an event. None if the bytes are not one of this type.
///
/// If the type's own code panics on an event, that is treated the same: the next event must still
/// be read.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| serde_json::from_slice(bytes).ok())).ok()?
}
