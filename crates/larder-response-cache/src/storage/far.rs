use std::sync::Arc;
use std::time::Duration;

use larder_layer::{StoreHealth, StoreTimeout};
use larder_store::{
    Condition, Delete, Entry, Error, ErrorKind, Key, Put, Result, Store, Ttl, Version,
    count_poisoned,
};

use super::record::Record;
use crate::metrics::Metrics;
use crate::policy::ResponsePolicy;
use crate::request::RESPONSE;

/// The store, with a timeout for every operation.
///
/// A failure is counted; then the cache goes on as if there were no store.
pub(crate) struct Far {
    store: Arc<dyn Store>,
    timeout: StoreTimeout,
    health: StoreHealth,
    metrics: Arc<Metrics>,
    policy: ResponsePolicy,
}

/// The content of a key in the store.
pub(super) enum FarRecord {
    Missing,
    /// Bytes that are not a record of this key.
    Unreadable(Version),
    Record(Record, Version),
}

impl Far {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        timeout: Duration,
        metrics: Arc<Metrics>,
        policy: ResponsePolicy,
    ) -> Self {
        Self {
            store,
            timeout: StoreTimeout::new(timeout, None),
            health: StoreHealth::new("response cache"),
            metrics,
            policy,
        }
    }

    pub(super) fn policy(&self) -> &ResponsePolicy {
        &self.policy
    }

    /// Counts and logs a failure of the store.
    fn observe<T>(&self, answer: Result<T>) -> Result<T> {
        match answer {
            Ok(answer) => {
                self.health.succeeded();
                Ok(answer)
            }
            Err(error) => {
                self.metrics.store_failed();
                self.health.failed(&error);
                Err(error)
            }
        }
    }

    /// Reads a record.
    pub(super) async fn get(&self, key: &Key) -> Result<FarRecord> {
        let Some(entry) = self.get_value(key).await? else {
            return Ok(FarRecord::Missing);
        };
        Ok(match Record::decode(&entry.value, key, &self.policy) {
            Some(record) => FarRecord::Record(record, entry.version),
            None => {
                count_poisoned(RESPONSE);
                FarRecord::Unreadable(entry.version)
            }
        })
    }

    /// Reads a value, undecoded.
    pub(super) async fn get_value(&self, key: &Key) -> Result<Option<Entry>> {
        self.observe(self.timeout.get(&*self.store, key).await)
    }

    /// Reads the values of several keys, undecoded, one for each. Fails if one of them cannot be read.
    pub(super) async fn get_values(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.get_each(keys).await.into_iter().collect()
    }

    /// Reads the values of several keys, undecoded. In a cluster some may be read while others fail.
    pub(super) async fn get_each(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let answers = async { Ok(self.store.get_many(keys).await) };
        let answers = self.timeout.run("get many", answers).await;
        let mut answers: Vec<_> = match answers {
            Ok(answers) => answers.into_iter().map(|it| self.observe(it)).collect(),
            Err(error) => vec![self.observe(Err(error))],
        };
        let too_few = || {
            Error::new(
                "get many",
                ErrorKind::MayHaveRun,
                "the store returned fewer results than keys",
            )
        };
        answers.resize_with(keys.len(), || Err(too_few()));
        answers
    }

    /// Writes a record. Returns its version, or None if the condition was not met.
    pub(super) async fn put(
        &self,
        key: &Key,
        record: &Record,
        ttl: Ttl,
        condition: Condition,
    ) -> Result<Option<Version>> {
        let too_large = || Error::new("put", ErrorKind::TooLarge, "the record is too long");
        let bytes = record.encode(key).ok_or_else(too_large)?;
        self.put_value(key, bytes, ttl, condition).await
    }

    /// Writes a value. Returns its version, or None if the condition was not met.
    pub(super) async fn put_value(
        &self,
        key: &Key,
        value: impl Into<bytes::Bytes>,
        ttl: Ttl,
        condition: Condition,
    ) -> Result<Option<Version>> {
        let put = Put::new(key.clone(), value, ttl).on(condition);
        let outcome = self.observe(self.timeout.put(&*self.store, &put).await)?;
        Ok(outcome.is_stored().then_some(put.version()))
    }

    /// Writes several values, each if its condition is met. Fails if one of them cannot be written.
    pub(super) async fn put_values(&self, puts: &[Put]) -> Result<()> {
        let answers = async { self.store.put_many(puts).await.into_iter().collect() };
        let written: Result<Vec<_>> = self.timeout.run("put many", answers).await;
        self.observe(written).map(drop)
    }

    pub(super) async fn remove(&self, key: Key) -> Result<()> {
        self.delete(&Delete::new(key)).await
    }

    /// Removes a key if it has this version.
    pub(super) async fn remove_if(&self, key: Key, version: Version) -> Result<()> {
        self.delete(&Delete::new(key).if_version(version)).await
    }

    async fn delete(&self, delete: &Delete) -> Result<()> {
        let removed = self.timeout.delete(&*self.store, delete).await;
        self.observe(removed).map(drop)
    }

    /// Removes several keys. Fails if one of them may be left.
    pub(super) async fn remove_many(&self, keys: impl Iterator<Item = Key>) -> Result<()> {
        let deletes: Vec<_> = keys.map(Delete::new).collect();
        let answers = async { self.store.delete_many(&deletes).await.into_iter().collect() };
        let removed: Result<Vec<_>> = self.timeout.run("delete many", answers).await;
        self.observe(removed).map(drop)
    }
}
