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

/// The maximum length of a field's name, in bytes.
const MAX_NAME: usize = 64;
/// The maximum length of a value as JSON, in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// The names of fields, each with its value as JSON.
pub(super) type Texts = Vec<(Arc<str>, Bytes)>;

/// Returns the fields of a whole struct, each as JSON.
///
/// # Errors
/// [`ErrorKind::Invalid`] also if the struct could not be read back, such as one with a number that JSON does
/// not have.
pub(super) fn whole<T: Serialize + DeserializeOwned>(
    operation: &'static str,
    value: &T,
) -> Result<Texts> {
    let value = object(operation, value)?;
    match T::deserialize(&value) {
        Ok(_) => texts(operation, value),
        Err(_) => Err(unreadable(operation)),
    }
}

/// Returns the fields of a part of a struct, each as JSON.
pub(super) fn part<P: Serialize>(operation: &'static str, value: &P) -> Result<Texts> {
    texts(operation, object(operation, value)?)
}

fn object<P: Serialize>(operation: &'static str, value: &P) -> Result<Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) if fields.is_empty() => {
            Err(invalid(operation, "a record has at least one field"))
        }
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(invalid(operation, "a record is a struct with named fields")),
    }
}

fn texts(operation: &'static str, value: Value) -> Result<Texts> {
    let Value::Object(fields) = value else {
        return Ok(Texts::new());
    };
    let field =
        |(field, value): (String, Value)| Ok((name(operation, &field)?, text(operation, value)?));
    fields.into_iter().map(field).collect()
}

/// Returns the struct with these fields. A text that is not JSON counts as absent.
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

/// Returns the value of a field as JSON, in the same form as in a whole struct.
pub(super) fn json<V: Serialize + DeserializeOwned>(
    operation: &'static str,
    value: &V,
) -> Result<Bytes> {
    let value = serde_json::to_value(value)
        .map_err(|_| invalid(operation, "the value cannot be written as JSON"))?;
    match V::deserialize(&value) {
        Ok(_) => text(operation, value),
        Err(_) => Err(unreadable(operation)),
    }
}

/// Returns the same text for equal values: the names in a map are sorted.
fn text(operation: &'static str, value: Value) -> Result<Bytes> {
    let text = sorted(value).to_string();
    if text.len() <= MAX_VALUE {
        return Ok(text.into());
    }
    Err(Error::new(
        operation,
        ErrorKind::TooLarge,
        "a field is at most 64 KiB of JSON",
    ))
}

/// Sorts the names in all maps. Otherwise they keep the order of a `HashMap` if another crate makes serde_json
/// do so.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            let entries = entries.into_iter();
            entries.map(|(name, value)| (name, sorted(value))).collect()
        }
        value => value,
    }
}

pub(super) fn name(operation: &'static str, name: &str) -> Result<Arc<str>> {
    match name.len() {
        1..=MAX_NAME => Ok(name.into()),
        _ => Err(invalid(operation, "the name of a field is 1 to 64 bytes")),
    }
}

fn unreadable(operation: &'static str) -> Error {
    invalid(
        operation,
        "the value could not be read back from JSON: a number must not be infinite or NaN, and what is \
         written under a name must be read under it",
    )
}

pub(super) fn unfit(operation: &'static str) -> Error {
    invalid(
        operation,
        "the stored fields do not fit the type: give added fields #[serde(default)], or write the record again",
    )
}
