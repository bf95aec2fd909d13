//! The operations on many keys: one round trip to each server.
//!
//! They return a result for each item.
//!
//! An item with an error of its own gets that error, and the others are still sent.

use ::redis::Value;
use futures_util::future::join;
use larder_store::{Content, Delete, DeleteOutcome, Entry, Error, Key, Put, PutOutcome, Result};
use tokio::time::Instant;

use crate::classify::copy_error;
use crate::commands;
use crate::node::Access;
use crate::operation::{Repeat, Request};
use crate::route::Batch;
use crate::script::Named;
use crate::store::RedisStore;

impl RedisStore {
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let (mut results, sent) = sift(keys, |key| {
            key.require(Content::Value, "get_many").map(|()| None)
        });
        if sent.is_empty() {
            return results;
        }
        for (at, value) in self.values(keys, sent).await {
            results[at] = value.and_then(|value| commands::entry("get_many", &keys[at], value));
        }
        results
    }

    /// Returns the values of the keys at `sent`, from replicas if allowed, or masters.
    async fn values(&self, keys: &[Key], sent: Vec<usize>) -> Vec<(usize, Result<Value>)> {
        let deadline = self.route.deadline();
        let Some(reads) = &self.replica_reads else {
            return self.masters_values(keys, sent, deadline).await;
        };
        let (parts, rest) = reads.split(keys, sent);
        // Keys that replicas did not answer wait only for their own masters.
        let of_replicas = async {
            let (mut values, unanswered) = parts.ask("get_many").await;
            values.extend(self.masters_values(keys, unanswered, deadline).await);
            values
        };
        let rest = self.masters_values(keys, rest, deadline);
        let (mut values, rest) = join(of_replicas, rest).await;
        values.extend(rest);
        values
    }

    async fn masters_values(
        &self,
        keys: &[Key],
        sent: Vec<usize>,
        deadline: Instant,
    ) -> Vec<(usize, Result<Value>)> {
        if sent.is_empty() {
            return Vec::new();
        }
        let request = Request::read("get_many").by(deadline);
        let begun = self.route.begin_batch(request);
        let values = match begun.await {
            Ok(batch) => read(&batch, &sent, |at| &keys[at]).await,
            Err(error) => sent.iter().map(|_| Err(copy_error(&error))).collect(),
        };
        sent.into_iter().zip(values).collect()
    }

    pub(crate) async fn put_all(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        let (mut results, sent) = sift(puts, |put| {
            put.key().require(Content::Value, "put_many")?;
            commands::check_size("put_many", put, self.max_value).map(|()| PutOutcome::NotStored)
        });
        if sent.is_empty() {
            return results;
        }
        let begun = self.begin_writes("put_many", sent.iter().map(|&at| puts[at].key()));
        let batch = match begun.await {
            Ok(batch) => batch,
            Err(error) => return fail(results, &sent, &error),
        };
        // With the text, so that no script is ever missing: sending it again would come too late.
        let command = |at: usize| commands::put(&puts[at], Named::ByText);
        let items = sent
            .iter()
            .map(|&at| (puts[at].key(), command(at), Access::Write));
        let written = batch.send(items, Repeat::Never).await;
        for (&at, value) in sent.iter().zip(written) {
            results[at] = value.and_then(|value| commands::outcome("put_many", &value));
        }
        if self.route.reads_back() && batch.has_time() {
            settle(&batch, puts, &mut results).await;
        }
        results
    }

    pub(crate) async fn delete_all(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        let (mut results, mut sent) = sift(deletes, |delete| {
            let key = delete.key();
            key.require(Content::Value, "delete_many")
                .map(|()| DeleteOutcome::NotDeleted)
        });
        sent.retain(|&at| commands::may_delete(&deletes[at]));
        if sent.is_empty() {
            return results;
        }
        let begun = self.begin_writes("delete_many", sent.iter().map(|&at| deletes[at].key()));
        let batch = match begun.await {
            Ok(batch) => batch,
            Err(error) => return fail(results, &sent, &error),
        };
        let command = |at: usize| commands::delete(&deletes[at], Named::ByText);
        let items = sent
            .iter()
            .map(|&at| (deletes[at].key(), command(at), Access::Write));
        let removed = batch.send(items, Repeat::Never).await;
        for (&at, value) in sent.iter().zip(removed) {
            results[at] = value.and_then(|value| commands::outcome("delete_many", &value));
        }
        results
    }
}

/// Reads back the versions of puts whose answers were lost.
async fn settle(batch: &Batch<'_>, puts: &[Put], results: &mut [Result<PutOutcome>]) {
    let is_lost =
        |result: &Result<PutOutcome>| matches!(result, Err(error) if !error.had_no_effect());
    let lost = (0..puts.len()).filter(|&at| is_lost(&results[at]));
    let lost: Vec<_> = lost.collect();
    if lost.is_empty() {
        return;
    }
    let held = read(batch, &lost, |at| puts[at].key()).await;
    for (&at, held) in lost.iter().zip(held) {
        let put = &puts[at];
        let held = held.and_then(|held| commands::entry("put_many", put.key(), held));
        if matches!(held, Ok(Some(entry)) if entry.version == put.version()) {
            results[at] = Ok(PutOutcome::Stored);
        }
    }
}

/// Gets the values of the keys of the items at `sent`. It does not use MGET, which treats a key of
/// another type as absent.
async fn read<'k>(
    batch: &Batch<'_>,
    sent: &[usize],
    key: impl Fn(usize) -> &'k Key,
) -> Vec<Result<Value>> {
    let items = sent
        .iter()
        .map(|&at| (key(at), commands::get(key(at)), Access::Read));
    batch.send(items, Repeat::Safe).await
}

/// Checks each item, and returns the results and the places of accepted items.
pub(crate) fn sift<I, T>(
    items: &[I],
    check: impl Fn(&I) -> Result<T>,
) -> (Vec<Result<T>>, Vec<usize>) {
    let results: Vec<_> = items.iter().map(check).collect();
    let accepted = |at: &usize| results[*at].is_ok();
    let sent = (0..items.len()).filter(accepted).collect();
    (results, sent)
}

/// Fills the results of the items at `sent` with one error.
pub(crate) fn fail<T>(
    mut results: Vec<Result<T>>,
    sent: &[usize],
    error: &Error,
) -> Vec<Result<T>> {
    for &at in sent {
        results[at] = Err(copy_error(error));
    }
    results
}
