//! One operation on a node, with its deadline, its slot in flight and its retries.

mod commands;
mod repeat;
mod request;
mod sequence;
mod span;
mod transmit;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::{Cmd, Pipeline, Value};
use larder_store::{Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::classify::{self, copy_error};
use crate::node::{Access, Confirmation, Node, SupervisedNode};
use commands::Commands;

pub(crate) use repeat::{Repeat, after_lost_run};
pub(crate) use request::Request;
pub(crate) use sequence::Sequence;

/// One operation on a node, from its start to its deadline.
pub(crate) struct Operation<'a> {
    node: Held<'a>,
    name: &'static str,
    /// The name of the script that it calls.
    script: Option<&'static str>,
    deadline: Instant,
    /// The time from the start of the whole operation to its deadline, for errors.
    time: Duration,
    access: Access,
    /// Whether it counts among the operations in flight to the node.
    has_place: AtomicBool,
    /// Whether a write was sent again after its answer was lost.
    has_lost_run: AtomicBool,
}

/// The node of an operation: borrowed, or kept alive if it may be replaced.
enum Held<'a> {
    Borrowed(&'a Node),
    Shared(Arc<SupervisedNode>),
}

impl Deref for Held<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        match self {
            Self::Borrowed(node) => node,
            Self::Shared(node) => node,
        }
    }
}

impl Node {
    /// Begins an operation, unless too many are in flight.
    pub(crate) fn begin(&self, request: Request) -> Result<Operation<'_>> {
        Operation::begin(Held::Borrowed(self), request)
    }
}

impl SupervisedNode {
    /// Begins an operation that may outlive the node's membership of its cluster.
    pub(crate) fn begin_shared(self: &Arc<Self>, request: Request) -> Result<Operation<'static>> {
        Operation::begin(Held::Shared(self.clone()), request)
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<'a> Operation<'a> {
    fn begin(node: Held<'a>, request: Request) -> Result<Self> {
        let (deadline, time) = (request.deadline(&node.limits), request.time(&node.limits));
        let operation = Self {
            node,
            name: request.name,
            script: request.script,
            deadline,
            time,
            access: request.access,
            has_place: AtomicBool::new(false),
            has_lost_run: AtomicBool::new(false),
        };
        operation.enter()?;
        Ok(operation)
    }

    /// Takes a place among the operations in flight to its node, unless it has one.
    ///
    /// # Errors
    /// [`ErrorKind::NotSent`] if too many are in flight.
    pub(crate) fn enter(&self) -> Result<()> {
        if self.has_place.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let most = self.node.limits.in_flight;
        if self.node.in_flight.fetch_add(1, Ordering::Relaxed) < most {
            return Ok(());
        }
        self.leave();
        let location = &self.node.location;
        metrics::counter!("larder_redis_overloaded_total", "server" => location.clone())
            .increment(1);
        Err(Error::new(
            self.name,
            ErrorKind::NotSent,
            format!(
                "overloaded: {most} operations are in flight to {location}: send fewer at once, or raise with_max_in_flight"
            ),
        ))
    }

    /// Gives its place back, so that it does not count here while it waits or runs elsewhere.
    pub(crate) fn leave(&self) {
        if self.has_place.swap(false, Ordering::Relaxed) {
            self.node.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Returns the request that began it, for the node of a redirect.
    pub(crate) fn request(&self) -> Request {
        let request = Request::new(self.name, self.access).within(self.time);
        request.by(self.deadline).calling(self.script)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn location(&self) -> &str {
        self.node.location()
    }

    /// Returns the host of its node, in a cluster.
    pub(crate) fn host(&self) -> &str {
        self.node.host()
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns whether the deadline is still to come.
    pub(crate) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Returns whether the answer of an earlier run was lost.
    pub(crate) fn has_lost_run(&self) -> bool {
        self.has_lost_run.load(Ordering::Relaxed)
    }

    /// Records a lost answer of a run, here or on a redirect's node.
    pub(crate) fn note_lost_run(&self) {
        self.has_lost_run.store(true, Ordering::Relaxed);
    }

    /// Returns the outcome for the caller, which is ambiguous after a lost run.
    pub(crate) fn settled(&self, outcome: Result<Value>) -> Result<Value> {
        match self.has_lost_run() {
            false => outcome,
            true => after_lost_run(self.name, outcome),
        }
    }

    /// Sends a command and returns its answer, which may be an error.
    ///
    /// A repeatable command is repeated once if its connection was dropped. A command that replicas
    /// must confirm is not: a second run that finds nothing to write would not wait for them.
    ///
    /// # Errors
    /// [`ErrorKind::NotSent`] and [`ErrorKind::MayHaveRun`].
    pub(crate) async fn send(&self, command: &Cmd, repeat: Repeat) -> Result<Value> {
        let replicas = match (self.access, self.node.limits.replicas) {
            (Access::Write | Access::Program, Some(replicas)) => replicas,
            (Access::Read, _) | (_, None) => {
                return self.transmit(Commands::One(command), repeat).await;
            }
        };
        let mut sequence = Sequence::with_capacity(2);
        sequence.add(command.clone(), self.access);
        // Boxed, so that the future of the common case stays small.
        let mut answers = Box::pin(self.send_confirmed(&mut sequence, replicas)).await;
        let answer = answers.pop();
        answer.unwrap_or_else(|| Err(classify::unexpected(self.name)))
    }

    /// Sends several commands together that no replica need confirm, and returns the answer of each.
    ///
    /// Otherwise it is like [`send`](Self::send).
    pub(crate) async fn send_all(&self, pipeline: &Pipeline, repeat: Repeat) -> Vec<Result<Value>> {
        let answers = self.transmit(Commands::Many(pipeline), repeat).await;
        spread(self.name, pipeline.len(), answers)
    }

    /// Sends several commands together, and returns the answer of each.
    ///
    /// Otherwise it is like [`send`](Self::send).
    pub(crate) async fn send_sequence(
        &self,
        sequence: &mut Sequence,
        repeat: Repeat,
    ) -> Vec<Result<Value>> {
        match self.node.limits.replicas {
            Some(replicas) if sequence.may_write() => self.send_confirmed(sequence, replicas).await,
            _ => self.send_all(sequence.pipeline(), repeat).await,
        }
    }

    /// Sends commands, followed by `WAIT` on the same connection. The successful answer of a write is
    /// returned only if enough replicas have confirmed it.
    async fn send_confirmed(
        &self,
        sequence: &mut Sequence,
        replicas: Confirmation,
    ) -> Vec<Result<Value>> {
        sequence.wait_for(replicas);
        let pipeline = sequence.pipeline();
        let answers = self.transmit(Commands::Many(pipeline), Repeat::Never).await;
        let mut answers = spread(self.name, pipeline.len(), answers);
        // If the answers were lost, each of them already says so.
        let Some(Ok(waited)) = answers.pop() else {
            return answers;
        };
        let written = sequence.to_confirm(&mut answers);
        if !written.is_empty()
            && let Err(error) = replicas.confirmed(self.name, self.location(), &waited)
        {
            for answer in written {
                *answer = Err(copy_error(&error));
            }
        }
        answers
    }
}

/// Splits the answer to a pipeline; an error applies to each item.
pub(crate) fn spread(name: &'static str, items: usize, value: Result<Value>) -> Vec<Result<Value>> {
    let error = match value {
        Ok(Value::Array(values)) if values.len() == items => {
            return values.into_iter().map(Ok).collect();
        }
        Ok(Value::ServerError(error)) => classify::refused(name, &error),
        Ok(_) => classify::unexpected(name),
        Err(error) => error,
    };
    (0..items).map(|_| Err(copy_error(&error))).collect()
}
