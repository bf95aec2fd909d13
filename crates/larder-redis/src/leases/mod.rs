//! Leases are scripts over a value and a key beside it, in one slot.
//!
//! Followers wait like the waiters of a record.
//!
//! The lease of `kind:{id}` is the string `kind:{id}:~lease`. It holds the fence and the deadline
//! by the server's clock, outlives the lease by a minute, and never collides with another key: no
//! part has a `~` in its name. Values are stored as [`put`](larder_store::Store::put) stores them,
//! so a plain `GET` reads a committed value.

mod follow;
mod scripts;

use std::time::Duration;

use ::redis::{Cmd, Value};
use async_trait::async_trait;
use larder_store::lease::{Claim, Claimed, Fence, FollowOutcome, LeaseOutcome, Leases};
use larder_store::{
    Clock, Condition, Content, DeleteOutcome, Error, Key, Put, PutOutcome, Result, Ttl,
};

use crate::batches::{fail, sift};
use crate::node::Access;
use crate::operation::{Repeat, Request};
use crate::route::Routed;
use crate::script::{Prepared, Time, is_forgotten};
use crate::store::RedisStore;
use crate::{classify, commands, value_format};
use scripts::{Scripts, call};

impl RedisStore {
    fn lease_scripts(&self) -> &'static Scripts {
        let time = match self.virtual_time {
            Some(_) => Time::Virtual,
            None => Time::Server,
        };
        Scripts::by(time, Self::tell(&self.route))
    }

    /// Adds the time to the arguments of a call, in virtual time.
    fn timed(&self, mut command: Cmd) -> Cmd {
        if let Some(clock) = &self.virtual_time {
            command.arg(clock.now().as_micros());
        }
        command
    }

    fn invalidation(&self, key: &Key) -> Cmd {
        self.timed(call(&self.lease_scripts().invalidate, key, 0, 0))
    }
}

/// Sends a call of a script of leases.
async fn run(
    operation: &Routed<'_>,
    script: &Prepared,
    command: &Cmd,
    repeat: Repeat,
) -> Result<Value> {
    let by_text = || script.by_text(command);
    operation.call(command, by_text, repeat).await
}

#[async_trait]
impl Leases for RedisStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        let key = claim.key();
        key.require(Content::Value, "claim")?;
        let script = &self.lease_scripts().claim;
        let mut command = call(script, key, 2, 0);
        match &claim.seen() {
            Some(version) => command.arg(version.as_bytes()),
            None => command.arg(""),
        };
        command.arg(claim.hold().as_micros());
        let operation = self.begin("claim", key).await?;
        let command = self.timed(command);
        match run(&operation, script, &command, Repeat::Never).await? {
            Value::Int(-1) => Ok(Claimed::Stale),
            Value::Int(-2) => Ok(Claimed::Follow),
            Value::Int(fence @ 0..) => Ok(Claimed::Lead(Fence::from_u64(fence.unsigned_abs()))),
            Value::BulkString(bytes) => match value_format::read(key, bytes) {
                Some(entry) => Ok(Claimed::Fresh(entry)),
                None => Err(classify::unexpected("claim")),
            },
            other => Err(unread("claim", &other)),
        }
    }

    async fn renew(&self, key: &Key, fence: Fence, hold: Ttl) -> Result<LeaseOutcome> {
        key.require(Content::Value, "renew")?;
        let script = &self.lease_scripts().renew;
        let mut command = call(script, key, 2, 0);
        command.arg(fence.as_u64()).arg(hold.as_micros());
        let command = self.timed(command);
        let operation = self.begin("renew", key).await?;
        outcome(
            "renew",
            run(&operation, script, &command, Repeat::Idempotent).await,
        )
    }

    async fn commit(&self, put: &Put, fence: Fence) -> Result<PutOutcome> {
        let key = put.key();
        key.require(Content::Value, "commit")?;
        commands::check_size("commit", put, self.max_value)?;
        let script = &self.lease_scripts().commit;
        let mut command = call(script, key, 4, value_format::length(put));
        command.arg(fence.as_u64());
        value_format::write(&mut command, put);
        command.arg(put.ttl().as_millis());
        match &put.condition() {
            Condition::Always => command.arg(""),
            Condition::IfAbsent => command.arg("NX"),
            Condition::IfPresent => command.arg("XX"),
            Condition::IfVersion(version) => command.arg(version.as_bytes()),
        };
        let command = self.timed(command);
        let operation = self.begin_write(Request::write("commit"), key).await?;
        match run(&operation, script, &command, Repeat::Never).await {
            Err(error) => Box::pin(self.settle(&operation, "commit", put, error)).await,
            taken => outcome("commit", taken),
        }
    }

    async fn abandon(&self, key: &Key, fence: Fence) -> Result<LeaseOutcome> {
        key.require(Content::Value, "abandon")?;
        let script = &self.lease_scripts().abandon;
        let mut command = call(script, key, 1, 0);
        command.arg(fence.as_u64());
        let command = self.timed(command);
        let operation = self.begin("abandon", key).await?;
        // Never repeated: the second execution would report that the lease had ended.
        outcome(
            "abandon",
            run(&operation, script, &command, Repeat::Never).await,
        )
    }

    async fn invalidate(&self, key: &Key) -> Result<DeleteOutcome> {
        key.require(Content::Value, "invalidate")?;
        let (script, command) = (&self.lease_scripts().invalidate, self.invalidation(key));
        // Even if there is no value, it may have ended a lease, whose commit must stay refused.
        let request = Request::program("invalidate");
        let operation = self.begin_write(request, key).await?;
        outcome(
            "invalidate",
            run(&operation, script, &command, Repeat::Idempotent).await,
        )
    }

    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<DeleteOutcome>> {
        const NAME: &str = "invalidate_many";
        let (mut results, mut sent) = sift(keys, |key| {
            key.require(Content::Value, NAME)
                .map(|()| DeleteOutcome::NotDeleted)
        });
        if sent.is_empty() {
            return results;
        }
        let begun = self.begin_writes(NAME, sent.iter().map(|&at| &keys[at]));
        let batch = match begun.await {
            Ok(batch) => batch,
            Err(error) => return fail(results, &sent, &error),
        };
        let by_hash = |key| self.invalidation(key);
        let items = sent
            .iter()
            .map(|&at| (&keys[at], by_hash(&keys[at]), Access::Program));
        let mut values = batch.send(items, Repeat::Idempotent).await;
        // Commands whose script a server does not know are sent again with its text. Those of one
        // key go to one server, so all of them are, in their order.
        for round in 0..2 {
            let mut forgotten = Vec::new();
            for (&at, value) in sent.iter().zip(values) {
                match value {
                    Ok(value) if round == 0 && is_forgotten(&value) => forgotten.push(at),
                    value => results[at] = outcome(NAME, value),
                }
            }
            if forgotten.is_empty() {
                break;
            }
            let script = &self.lease_scripts().invalidate;
            let items = forgotten.iter().map(|&at| {
                let by_text = script.by_text(&by_hash(&keys[at]));
                (&keys[at], by_text, Access::Program)
            });
            values = batch.send(items, Repeat::Idempotent).await;
            sent = forgotten;
        }
        results
    }

    async fn follow(&self, key: &Key, within: Duration) -> Result<FollowOutcome> {
        key.require(Content::Value, "follow")?;
        self.wait_for_end(key, within).await
    }
}

/// Parses the answer of a script that returns whether it did its work.
fn outcome<T: From<bool>>(operation: &'static str, value: Result<Value>) -> Result<T> {
    match value? {
        Value::Int(0) => Ok(false.into()),
        Value::Int(1..) => Ok(true.into()),
        other => Err(unread(operation, &other)),
    }
}

/// Returns the error for an answer that is an error, or not in a script's form. An unknown error
/// may have come after a write.
fn unread(operation: &'static str, value: &Value) -> Error {
    let known = match value {
        Value::ServerError(error) => classify::known(operation, error),
        _ => None,
    };
    known.unwrap_or_else(|| classify::unexpected(operation))
}
