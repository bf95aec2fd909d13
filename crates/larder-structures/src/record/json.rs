//! Fields as JSON texts.

use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::Record as _;
use larder_store::{Error, ErrorKind, Result, count_poisoned};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::invalid;
use super::programs::{Fields, FieldsRecord};

/// The longest name of a field, in bytes.
const MAX_NAME: usize = 64;
/// The longest value, as JSON, in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// The fields of a struct, each as JSON.
pub(super) fn fields<P: Serialize>(
    operation: &'static str,
    value: &P,
) -> Result<Vec<(Arc<str>, Bytes)>> {
    let Ok(Value::Object(fields)) = serde_json::to_value(value) else {
        return Err(invalid(operation, "a record is a struct with named fields"));
    };
    if fields.is_empty() {
        return Err(invalid(operation, "a record has at least one field"));
    }
    let field =
        |(field, value): (String, Value)| Ok((name(operation, &field)?, json(operation, &value)?));
    fields.into_iter().map(field).collect()
}

/// The struct that has these fields. A text that is not JSON counts as absent.
pub(super) fn value<P: DeserializeOwned>(operation: &'static str, fields: Fields) -> Result<P> {
    let field = |(name, text): (Arc<str>, Bytes)| match serde_json::from_slice(&text) {
        Ok(value) => Some((name.to_string(), value)),
        Err(_) => {
            count_poisoned(FieldsRecord::KIND);
            None
        }
    };
    let fields: Map<_, _> = fields.into_iter().filter_map(field).collect();
    // The error of serde may quote a value, so it is not passed on.
    serde_json::from_value(Value::Object(fields)).map_err(|_| unfit(operation))
}

pub(super) fn json<V: Serialize>(operation: &'static str, value: &V) -> Result<Bytes> {
    match serde_json::to_vec(value) {
        Ok(text) if text.len() <= MAX_VALUE => Ok(text.into()),
        Ok(_) => Err(Error::new(
            operation,
            ErrorKind::TooLarge,
            "a field is at most 64 KiB of JSON",
        )),
        Err(_) => Err(invalid(operation, "the value has no form in JSON")),
    }
}

pub(super) fn name(operation: &'static str, name: &str) -> Result<Arc<str>> {
    match name.len() {
        1..=MAX_NAME => Ok(name.into()),
        _ => Err(invalid(operation, "the name of a field is 1 to 64 bytes")),
    }
}

pub(super) fn unfit(operation: &'static str) -> Error {
    invalid(
        operation,
        "what is kept does not fit the type: give fields that were added #[serde(default)]",
    )
}
