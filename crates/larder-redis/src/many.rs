//! The forms for many keys: one round trip, and a result for each.
//!
//! What is wrong with one item is its own result, and the others are still sent. In a cluster the
//! items that are left would be split by node before they are sent.

use ::redis::{Cmd, Pipeline, Value};
use larder_store::{Delete, Entry, Error, ErrorKind, Form, Key, Put, Result};

use crate::connection::{Operation, Repeat, Request};
use crate::script::Named;
use crate::store::RedisStore;
use crate::{classify, commands};

impl RedisStore {
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let (mut results, sent) = sift(keys, |key| {
            key.require(Form::Value, "get_many").map(|()| None)
        });
        if sent.is_empty() {
            return results;
        }
        // No MGET: it answers a key of another type as if there were none.
        let pipeline = pipeline(&sent, |at| commands::get(&keys[at]));
        let values = match self.node.begin("get_many") {
            Ok(operation) => {
                let request = Request::Many(&pipeline);
                operation.send(request, Repeat::Safe).await
            }
            Err(error) => Err(error),
        };
        for (&at, value) in sent.iter().zip(spread("get_many", sent.len(), values)) {
            results[at] = value.and_then(|value| commands::entry("get_many", &keys[at], value));
        }
        results
    }

    pub(crate) async fn put_all(&self, puts: &[Put]) -> Vec<Result<bool>> {
        let (mut results, sent) = sift(puts, |put| {
            put.key().require(Form::Value, "put_many")?;
            commands::check_size("put_many", put, self.max_value).map(|()| false)
        });
        // By text, so that no script is ever missing: one that is sent again would come too late.
        let pipeline = pipeline(&sent, |at| commands::put(&puts[at], Named::ByText));
        let operation = self.node.begin("put_many");
        let written = write(&operation, &pipeline).await;
        let lost = matches!(&written, Err(error) if error.kind() == ErrorKind::MayHaveRun);
        for (&at, value) in sent.iter().zip(spread("put_many", sent.len(), written)) {
            results[at] = value.and_then(|value| commands::done("put_many", &value));
        }
        if let Ok(operation) = operation
            && lost
            && operation.has_time()
        {
            settle(&operation, puts, &sent, &mut results).await;
        }
        results
    }

    pub(crate) async fn delete_all(&self, deletes: &[Delete]) -> Vec<Result<bool>> {
        let (mut results, mut sent) = sift(deletes, |delete| {
            let key = delete.key();
            key.require(Form::Value, "delete_many").map(|()| false)
        });
        sent.retain(|&at| commands::may_delete(&deletes[at]));
        let pipeline = pipeline(&sent, |at| commands::delete(&deletes[at], Named::ByText));
        let removed = write(&self.node.begin("delete_many"), &pipeline).await;
        for (&at, value) in sent.iter().zip(spread("delete_many", sent.len(), removed)) {
            results[at] = value.and_then(|value| commands::done("delete_many", &value));
        }
        results
    }
}

async fn write(operation: &Result<Operation<'_>>, pipeline: &Pipeline) -> Result<Value> {
    match operation {
        _ if pipeline.is_empty() => Ok(Value::Array(Vec::new())),
        Ok(operation) => operation.send(Request::Many(pipeline), Repeat::Never).await,
        Err(error) => Err(again(error)),
    }
}

/// Reads back the versions of puts whose answers were lost.
async fn settle(
    operation: &Operation<'_>,
    puts: &[Put],
    sent: &[usize],
    results: &mut [Result<bool>],
) {
    let pipeline = pipeline(sent, |at| commands::get(puts[at].key()));
    let held = operation.send(Request::Many(&pipeline), Repeat::Safe);
    let held = held.await;
    for (&at, held) in sent.iter().zip(spread("put_many", sent.len(), held)) {
        let put = &puts[at];
        let held = held.and_then(|held| commands::entry("put_many", put.key(), held));
        if matches!(held, Ok(Some(entry)) if entry.version == put.version()) {
            results[at] = Ok(true);
        }
    }
}

/// A result for each item, and which of them are sent: all but those that `check` refuses.
fn sift<I, T>(items: &[I], check: impl Fn(&I) -> Result<T>) -> (Vec<Result<T>>, Vec<usize>) {
    let results: Vec<_> = items.iter().map(check).collect();
    let accepted = |at: &usize| results[*at].is_ok();
    let sent = (0..items.len()).filter(accepted).collect();
    (results, sent)
}

fn pipeline(sent: &[usize], command: impl Fn(usize) -> Cmd) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(sent.len());
    for &at in sent {
        pipeline.add_command(command(at));
    }
    pipeline
}

/// The answer of each item out of the answer of all; an error of all is an error of each.
pub(crate) fn spread(name: &'static str, items: usize, value: Result<Value>) -> Vec<Result<Value>> {
    let error = match value {
        Ok(Value::Array(values)) if values.len() == items => {
            return values.into_iter().map(Ok).collect();
        }
        Ok(Value::ServerError(error)) => classify::refused(name, &error),
        Ok(_) => classify::unexpected(name),
        Err(error) => error,
    };
    (0..items).map(|_| Err(again(&error))).collect()
}

/// The same error once more; its source stays with the first.
fn again(error: &Error) -> Error {
    let text = error.to_string();
    let prefix = format!("{}: {}: ", error.operation(), error.kind());
    let detail = text.strip_prefix(&prefix).unwrap_or_default().to_owned();
    Error::new(error.operation(), error.kind(), detail)
}
