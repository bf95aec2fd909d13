use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::{Cmd, Pipeline, Value};
use larder_store::Result;
use tokio::time::timeout;

use super::history::History;
use super::standing::Standing;
use crate::cluster::Place;
use crate::connection::{Address, Limits, Member, Node, Repeat, Target};

/// What it means that a replica has no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misses {
    /// There is none.
    AreMisses,
    /// There is none, or its slot is moving: the master knows where to, and replicas do not.
    AreTheMasters,
}

/// A replica, with a connection of its own.
pub(super) struct Replica {
    pub(super) place: Place,
    member: Member,
    misses: Misses,
    /// The last moment of which it has every write.
    fresh_as_of: AtomicU64,
}

impl Replica {
    /// A replica at `place`, which is dialed in the background.
    pub(super) fn new(
        place: Place,
        template: &Address,
        limits: Limits,
        (to, misses): (fn(Address) -> Target, Misses),
    ) -> Self {
        let limits = Limits {
            // The rest is for the master, where this one does not answer.
            deadline: limits.deadline / 2,
            replicas: None,
            ..limits
        };
        let node = Node::at(&place, template, limits, to).in_background();
        Self {
            place,
            member: Member::new(Arc::new(node)),
            misses,
            fresh_as_of: AtomicU64::new(0),
        }
    }

    /// Whether it has every write until `moment`.
    pub(super) fn is_fresh_since(&self, moment: u64) -> bool {
        self.fresh_as_of.load(Ordering::Relaxed) >= moment
    }

    /// Whether there is a connection to it, as far as is known.
    pub(super) fn is_up(&self) -> bool {
        self.member.is_up()
    }

    /// Asks how far it is.
    pub(super) async fn look(&self, history: &History, within: Duration) {
        if !self.member.is_up() {
            return;
        }
        let command = Standing::command();
        let asking = self.send("watch replicas", &command);
        if let Ok(Ok(answer)) = timeout(within, asking).await
            && let Some(Standing::Replica { id, offset }) = Standing::read(&answer)
            && let Some(moment) = history.covered_by(&id, offset)
        {
            self.fresh_as_of.fetch_max(moment, Ordering::Relaxed);
        }
    }

    /// Sends a read; nothing where there is no good answer.
    pub(super) async fn ask(&self, name: &'static str, command: &Cmd) -> Option<Value> {
        self.believe(self.send(name, command).await)
    }

    /// Sends several reads; each has no answer where there is no good one.
    pub(super) async fn ask_all(
        &self,
        name: &'static str,
        commands: &Pipeline,
    ) -> Vec<Option<Value>> {
        let answers = match self.member.begin(name) {
            Ok(operation) => operation.send_all(commands, Repeat::Safe).await,
            // Too many are in flight to it.
            Err(_) => Vec::new(),
        };
        let answers = answers.into_iter();
        let mut answers: Vec<_> = answers.map(|answer| self.believe(answer)).collect();
        answers.resize(commands.len(), None);
        answers
    }

    async fn send(&self, name: &'static str, command: &Cmd) -> Result<Value> {
        let operation = self.member.begin(name)?;
        operation.send(command, Repeat::Safe).await
    }

    /// An answer that is one: the server may be loading, have lost its master, or serve the slot no
    /// more.
    fn believe(&self, answer: Result<Value>) -> Option<Value> {
        match answer {
            Ok(Value::ServerError(_)) | Err(_) => {
                let server = self.member.location().to_owned();
                metrics::counter!("larder_redis_replica_fallbacks_total", "server" => server)
                    .increment(1);
                None
            }
            Ok(Value::Nil | Value::Int(-2)) if self.misses == Misses::AreTheMasters => None,
            Ok(answer) => Some(answer),
        }
    }
}
