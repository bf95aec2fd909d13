use std::sync::Arc;

use ::redis::{Cmd, Pipeline, Value};
use larder_store::Result;

use super::replica::{Misses, Replica};
use crate::operation::{Repeat, Request};

/// A fresh replica, on the connection on which it was found fresh.
pub(super) struct Reader {
    replica: Arc<Replica>,
    connection: u64,
}

impl Reader {
    /// Returns a reader of a replica that has every write until `moment`, if any.
    pub(super) fn fresh_since(replica: &Arc<Replica>, moment: u64) -> Option<Self> {
        let connection = replica.fresh_since(moment)?;
        Some(Self {
            replica: replica.clone(),
            connection,
        })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.replica, &other.replica) && self.connection == other.connection
    }

    /// Sends a read. None if there is no good answer.
    pub(super) async fn ask(&self, name: &'static str, command: &Cmd) -> Option<Value> {
        self.believe(self.send(name, command).await)
    }

    /// Sends several reads. Each is None if it has no good answer.
    pub(super) async fn ask_all(
        &self,
        name: &'static str,
        commands: &Pipeline,
    ) -> Vec<Option<Value>> {
        let answers = match self.replica.node.begin(Request::read(name)) {
            Ok(operation) => operation.send_all(commands, Repeat::Never).await,
            // Too many reads are in flight to it.
            Err(_) => Vec::new(),
        };
        let answers = answers.into_iter();
        let mut answers: Vec<_> = answers.map(|answer| self.believe(answer)).collect();
        answers.resize(commands.len(), None);
        answers
    }

    /// Never retried: a new connection may reach another server.
    async fn send(&self, name: &'static str, command: &Cmd) -> Result<Value> {
        let operation = self.replica.node.begin(Request::read(name))?;
        operation.send(command, Repeat::Never).await
    }

    /// Returns an answer that can be trusted, or None.
    ///
    /// The server may be loading, have lost its master, no longer serve the slot, or be another one
    /// by now.
    fn believe(&self, answer: Result<Value>) -> Option<Value> {
        let replica = &self.replica;
        match answer {
            Ok(answer)
                if !matches!(answer, Value::ServerError(_))
                    && replica.is_as_found_on(self.connection) =>
            {
                let is_miss = matches!(answer, Value::Nil | Value::Int(-2));
                (!is_miss || replica.misses == Misses::AreMisses).then_some(answer)
            }
            _ => {
                let server = replica.node.location().to_owned();
                metrics::counter!("larder_redis_replica_fallbacks_total", "server" => server)
                    .increment(1);
                None
            }
        }
    }
}
