//! How an operation of the store is sent to the node of its key.

use ::redis::{Cmd, Value};
use larder_store::{Error, ErrorKind, Key, Put, PutOutcome, Result};

use crate::RedisStore;
use crate::commands;
use crate::operation::{Repeat, Request};
use crate::replica_reads::{ReplicaReads, Write, Writing};
use crate::route::{Batch, Routed};
use crate::script::Named;

impl RedisStore {
    /// Sends a command that only reads.
    pub(super) async fn ask(&self, name: &'static str, key: &Key, command: Cmd) -> Result<Value> {
        match &self.replica_reads {
            None => {
                let operation = self.begin(name, key).await?;
                operation.send(&command, Repeat::Safe).await
            }
            // Boxed, so that the future of the common case stays small.
            Some(reads) => Box::pin(self.ask_replicas(reads, name, key, command)).await,
        }
    }

    /// Reads from a replica if allowed, and otherwise from the master.
    async fn ask_replicas(
        &self,
        reads: &ReplicaReads,
        name: &'static str,
        key: &Key,
        command: Cmd,
    ) -> Result<Value> {
        let request = Request::read(name).by(self.route.deadline());
        if let Some(answer) = reads.ask(name, key, &command).await {
            return Ok(answer);
        }
        let operation = self.route.begin(key.as_bytes(), request).await?;
        operation.send(&command, Repeat::Safe).await
    }

    /// Begins an operation on a key that changes no value.
    pub(crate) async fn begin(&self, name: &'static str, key: &Key) -> Result<Routed<'_>> {
        self.route.begin(key.as_bytes(), Request::read(name)).await
    }

    /// Begins an operation on a key that changes its value.
    pub(crate) async fn begin_write(
        &self,
        request: Request,
        key: &Key,
    ) -> Result<Write<'_, Routed<'_>>> {
        let writing = self.writing([key]);
        let begun = self.route.begin(key.as_bytes(), request);
        Ok(Write::new(begun.await?, writing))
    }

    /// [`begin_write`](Self::begin_write) for several keys.
    pub(crate) fn begin_writes<'k>(
        &self,
        name: &'static str,
        keys: impl IntoIterator<Item = &'k Key>,
    ) -> impl Future<Output = Result<Write<'_, Batch<'_>>>> + Send {
        let writing = self.writing(keys);
        async move {
            let begun = self.route.begin_batch(Request::write(name));
            Ok(Write::new(begun.await?, writing))
        }
    }

    /// Marks keys as being written, so that no replica without the write is read.
    fn writing<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Option<Writing<'_>> {
        let reads = self.replica_reads.as_ref();
        reads.map(|reads| reads.write(keys))
    }

    /// Sends a command that must not be sent twice. If the server does not know its script, the
    /// whole script is sent.
    pub(super) async fn once(
        &self,
        operation: &Routed<'_>,
        command: impl Fn(Named) -> Cmd,
    ) -> Result<Value> {
        let by_text = || command(Named::ByText);
        operation
            .call(&command(Named::ByHash), by_text, Repeat::Never)
            .await
    }

    /// Settles a write whose answer may have been lost, by reading its version back.
    ///
    /// It uses the deadline of the write, so it takes no longer.
    pub(crate) async fn settle(
        &self,
        operation: &Routed<'_>,
        name: &'static str,
        put: &Put,
        lost: Error,
    ) -> Result<PutOutcome> {
        let is_lost = lost.kind() == ErrorKind::MayHaveRun;
        if !is_lost || !self.route.reads_back() || !operation.has_time() {
            return Err(lost);
        }
        let read = operation
            .send(&commands::get(put.key()), Repeat::Safe)
            .await;
        match read.and_then(|value| commands::entry(name, put.key(), value)) {
            Ok(Some(entry)) if entry.version == put.version() => Ok(PutOutcome::Stored),
            _ => Err(lost),
        }
    }
}
