//! A struct that is stored by its fields, which are read and changed one by one.

mod json;
mod programs;
#[cfg(test)]
mod traces;

use std::marker::PhantomData;
use std::sync::Arc;

use larder_store::program::Inspection;
use larder_store::{Error, ErrorKind, KeyId, Refusal, Result, Store, Ttl};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::number::check;
use crate::records::{Records, debug_name};

use json::{Texts, json, name, part, unfit, value, whole};
use programs::{CompareAndSet, Increment, Outcome, Read, Remove, Set, When};
pub use programs::{FieldsRecord, InspectFields};

/// Keeps a `T` for each id by its fields, so that callers who change different fields do not overwrite each other.
///
/// `T` is a struct with named fields, by serde. Each field is stored as a JSON text, on Redis in a hash. A field
/// that a later version of the struct adds needs `#[serde(default)]`; otherwise old records cannot be read. A
/// record has at most 256 fields, unless [`with_max_fields`](Self::with_max_fields) is set; a name is 1 to 64
/// bytes, and a value at most 64 KiB.
///
/// Only [`put`](Self::put) and [`create`](Self::create) create a record, so that no record is ever incomplete.
/// Each change restarts the TTL. Each method takes one round trip, or none in process. Clones are cheap and share
/// everything.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::record::Record;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Profile {
///     name: String,
///     city: Option<String>,
///     visits: i64,
/// }
///
/// async fn visit(store: Arc<dyn Store>, user: u32) -> Result<Option<i64>> {
///     let profiles = Record::<Profile>::new(store, "profiles", Ttl::from_secs(365 * 86_400))?;
///     profiles.increment(user, "visits", 1).await
/// }
/// ```
pub struct Record<T> {
    records: Records<FieldsRecord>,
    ttl: Ttl,
    max_fields: u32,
    value: PhantomData<fn(T) -> T>,
}

debug_name!(Record<T>, records.name);

/// The maximum number of fields of a record.
const MAX_FIELDS: usize = 1_000;

/// The outcome of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing was changed if the field had another value"]
pub enum Compared<V> {
    /// The field had the expected value, and was changed.
    Done,
    /// The field has this value, or is absent. Nothing was changed.
    Other(Option<V>),
    /// There is no record.
    Absent,
}

impl<T: Serialize + DeserializeOwned> Record<T> {
    /// Makes the records called `name`, each of which lives for `ttl` after its last change.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        Ok(Self {
            records: Records::new(store, name, "a record")?,
            ttl,
            max_fields: 256,
            value: PhantomData,
        })
    }

    /// Sets the maximum number of fields, from 1 to 1,000; 0 counts as 1. The default is 256.
    #[must_use]
    pub fn with_max_fields(mut self, fields: u32) -> Self {
        self.max_fields = fields.clamp(1, MAX_FIELDS as u32);
        self
    }

    /// Writes a whole record, replacing any existing one.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Invalid`] if it has no named fields, one is out of its bounds, or it could
    /// not be read back; [`Refusal::Full`] for too many, and [`ErrorKind::TooLarge`] for one past 64 KiB.
    /// After [`ErrorKind::MayHaveRun`] it may have been written; repeating the call is safe if nobody else changes it.
    ///
    /// # Cancellation
    /// It may or may not have been written, whole.
    pub async fn put(&self, id: impl KeyId, value: &T) -> Result<()> {
        let fields = whole("put", value)?;
        self.set(id, "put", When::Instead, fields).await.map(drop)
    }

    /// Writes a whole record if there is none, and returns whether it did.
    ///
    /// # Errors
    /// Those of [`put`](Self::put). After [`ErrorKind::MayHaveRun`] it may have been written: a second attempt
    /// then returns false.
    ///
    /// # Cancellation
    /// It may or may not have been written, whole.
    pub async fn create(&self, id: impl KeyId, value: &T) -> Result<bool> {
        let fields = whole("create", value)?;
        self.set(id, "create", When::Absent, fields).await
    }

    /// Returns the record. None if there is none.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if the fields do not fit `T`.
    pub async fn get(&self, id: impl KeyId) -> Result<Option<T>> {
        self.read(id, "get", Vec::new()).await
    }

    /// Returns some fields, as a `P` that has only these. None if there is no record.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), and [`ErrorKind::Invalid`] unless 1 to 1,000 fields are named.
    pub async fn get_part<P: DeserializeOwned>(
        &self,
        id: impl KeyId,
        fields: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Option<P>> {
        let fields = fields.into_iter().take(MAX_FIELDS + 1);
        let names = fields.map(|field| name("get_part", field.as_ref()));
        let names = names.collect::<Result<Vec<_>>>()?;
        if names.is_empty() || names.len() > MAX_FIELDS {
            return Err(invalid("get_part", "name 1 to 1,000 fields"));
        }
        self.read(id, "get_part", names).await
    }

    /// Writes some fields in addition to the existing ones, and returns whether there is a record.
    ///
    /// It does not check whether `T` can read them: give each field the type that it has in `T`, and no NaN.
    ///
    /// # Errors
    /// Those of [`put`](Self::put).
    ///
    /// # Cancellation
    /// All of them may or may not have been written.
    pub async fn set_part<P: Serialize>(&self, id: impl KeyId, fields: &P) -> Result<bool> {
        let fields = part("set_part", fields)?;
        self.set(id, "set_part", When::Present, fields).await
    }

    /// Adds to a number, and returns the sum. A field that is absent counts as 0. None if there is no record.
    ///
    /// The record is not compared with `T`: a sum that does not fit the field's type, or the name of a field that `T`
    /// must not have, makes the record unreadable.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Invalid`] if the name of the field is out of its bounds, the field is not an
    /// integer, or `by` or the sum would be past 2^53; [`Refusal::Full`] if the field would be one too many. After
    /// [`ErrorKind::MayHaveRun`] it may have been added, once: larder never sends it again.
    ///
    /// # Cancellation
    /// It may or may not have been added.
    pub async fn increment(&self, id: impl KeyId, field: &str, by: i64) -> Result<Option<i64>> {
        check("increment", "an addition", by)?;
        let increment = Increment {
            ttl: self.ttl,
            max_fields: self.max_fields,
            field: name("increment", field)?,
            by,
        };
        match self.records.run(id, &increment).await? {
            (Outcome::Done, sum) => Ok(Some(sum)),
            (Outcome::Unmet, _) => Ok(None),
            (Outcome::Full, _) => Err(full("increment")),
            (Outcome::Past, _) => Err(invalid("increment", "the sum would be past 2^53")),
            (Outcome::Other, _) => Err(invalid(
                "increment",
                "the field is not an integer within 2^53",
            )),
        }
    }

    /// Changes a field if it has the expected value. None stands for an absent field, before and after.
    ///
    /// Values are compared as the JSON that serde makes of them.
    ///
    /// # Errors
    /// Those of [`put`](Self::put), and [`ErrorKind::Invalid`] if the current value of the field does not fit `V`.
    /// After [`ErrorKind::MayHaveRun`] it may have been changed: read it, or compare again.
    ///
    /// # Cancellation
    /// It may or may not have been changed.
    pub async fn compare_and_set<V: Serialize + DeserializeOwned>(
        &self,
        id: impl KeyId,
        field: &str,
        expected: Option<&V>,
        new: Option<&V>,
    ) -> Result<Compared<V>> {
        const NAME: &str = "compare_and_set";
        let json = |value: Option<&V>| value.map(|value| json(NAME, value)).transpose();
        let compare = CompareAndSet {
            ttl: self.ttl,
            max_fields: self.max_fields,
            field: name(NAME, field)?,
            expected: json(expected)?,
            new: json(new)?,
        };
        match self.records.run(id, &compare).await? {
            (Outcome::Done, _) => Ok(Compared::Done),
            (Outcome::Unmet, _) => Ok(Compared::Absent),
            (Outcome::Full, _) => Err(full(NAME)),
            (_, held) => {
                let held = held.map(|held| serde_json::from_slice(&held));
                let held = held.transpose();
                held.map(Compared::Other).map_err(|_| unfit(NAME))
            }
        }
    }

    /// Removes the record, and returns whether there was one.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// It may or may not have been removed.
    pub async fn remove(&self, id: impl KeyId) -> Result<bool> {
        self.records.run(id, &Remove).await
    }

    /// Returns the number of fields, for people and tools. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        self.records.inspect(id).await
    }

    async fn set(
        &self,
        id: impl KeyId,
        operation: &'static str,
        when: When,
        fields: Texts,
    ) -> Result<bool> {
        let key = self.records.key(id);
        let set = Set {
            ttl: self.ttl,
            max_fields: self.max_fields,
            when,
            fields,
        };
        match self.records.programs().run(&key, &set).await? {
            Outcome::Done => Ok(true),
            Outcome::Full => Err(full(operation)),
            _ => Ok(false),
        }
    }

    async fn read<P: DeserializeOwned>(
        &self,
        id: impl KeyId,
        operation: &'static str,
        names: Vec<Arc<str>>,
    ) -> Result<Option<P>> {
        let found = self.records.run(id, &Read { fields: names }).await?;
        found.map(|found| value(operation, found.0)).transpose()
    }
}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self {
            records: self.records.clone(),
            ttl: self.ttl,
            max_fields: self.max_fields,
            value: PhantomData,
        }
    }
}

fn full(operation: &'static str) -> Error {
    Error::new(
        operation,
        ErrorKind::Refused(Refusal::Full),
        "the record would have too many fields: see with_max_fields",
    )
}

fn invalid(operation: &'static str, text: &'static str) -> Error {
    Error::new(operation, ErrorKind::Invalid, text)
}
