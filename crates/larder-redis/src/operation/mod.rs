//! One operation on a node: its deadline, its slot among those in flight, and its retries.

mod repeat;

use std::future::poll_fn;
use std::io;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Pipeline, RedisResult, Value};
use larder_store::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::classify::{self, copy_error};
use crate::connection::Connection;
use crate::node::{Access, Node, Replicas, SupervisedNode, ran_nothing};

pub(crate) use repeat::{Repeat, after_lost_run};

/// What is sent in one go.
#[derive(Clone, Copy)]
enum Request<'a> {
    /// One command, and its answer.
    One(&'a Cmd),
    /// Several, and an array of as many answers.
    Many(&'a Pipeline),
}

impl Request<'_> {
    async fn send(self, multiplexed: &mut MultiplexedConnection) -> RedisResult<Value> {
        match self {
            Self::One(command) => multiplexed.send_packed_command(command).await,
            Self::Many(pipeline) => {
                let answers = multiplexed.send_packed_commands(pipeline, 0, pipeline.len());
                // Boxed, so that the future of a single command is a small one.
                Box::pin(answers).await.map(Value::Array)
            }
        }
    }

    /// The answers of its commands, out of the answer to it.
    fn answers(self, value: &Value) -> &[Value] {
        match (self, value) {
            (Self::Many(_), Value::Array(answers)) => answers,
            _ => std::slice::from_ref(value),
        }
    }
}

/// One operation on a node, from its start to its deadline.
pub(crate) struct Operation<'a> {
    node: Held<'a>,
    name: &'static str,
    deadline: Instant,
    access: Access,
    /// A write was sent again after its answer was lost.
    has_lost_run: AtomicBool,
}

/// The node of an operation: where there is one node only it is borrowed, where the node may be
/// replaced meanwhile it is kept alive.
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
    pub(crate) fn begin(&self, name: &'static str) -> Result<Operation<'_>> {
        self.begin_within(name, self.limits.deadline)
    }

    /// [`begin`](Self::begin) what has begun already, and ends by `deadline`.
    pub(crate) fn begin_by(&self, name: &'static str, deadline: Instant) -> Result<Operation<'_>> {
        Operation::begin(Held::Borrowed(self), name, deadline)
    }

    /// [`begin`](Self::begin) with a deadline of its own.
    pub(crate) fn begin_within(
        &self,
        name: &'static str,
        deadline: Duration,
    ) -> Result<Operation<'_>> {
        self.begin_by(name, Instant::now() + deadline)
    }
}

impl SupervisedNode {
    /// Begins an operation that may outlive the node's membership of its cluster.
    pub(crate) fn begin_until(
        self: &Arc<Self>,
        name: &'static str,
        deadline: Instant,
    ) -> Result<Operation<'static>> {
        Operation::begin(Held::Shared(self.clone()), name, deadline)
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        self.node.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<'a> Operation<'a> {
    fn begin(node: Held<'a>, name: &'static str, deadline: Instant) -> Result<Self> {
        // Made first: dropping it gives the place back.
        let operation = Self {
            node,
            name,
            deadline,
            access: Access::Read,
            has_lost_run: AtomicBool::new(false),
        };
        let (node, name) = (&*operation.node, operation.name);
        let most = node.limits.in_flight;
        if node.in_flight.fetch_add(1, Ordering::Relaxed) < most {
            return Ok(operation);
        }
        let location = &node.location;
        metrics::counter!("larder_redis_overloaded_total", "server" => location.clone())
            .increment(1);
        Err(Error::new(
            name,
            ErrorKind::NotSent,
            format!("overloaded: {most} operations are in flight to {location}"),
        ))
    }

    /// The same operation, with another access.
    pub(crate) fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    pub(crate) fn access(&self) -> Access {
        self.access
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn location(&self) -> &str {
        self.node.location()
    }

    /// The host of its node, in a cluster.
    pub(crate) fn host(&self) -> &str {
        self.node.host()
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the deadline is still to come.
    pub(crate) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Whether an earlier run of a write may have been carried out: its answer was lost.
    pub(crate) fn has_lost_run(&self) -> bool {
        self.has_lost_run.load(Ordering::Relaxed)
    }

    /// Records that the answer of a run was lost, here or on the node of a redirect.
    pub(crate) fn note_lost_run(&self) {
        self.has_lost_run.store(true, Ordering::Relaxed);
    }

    /// The outcome for the caller, which a lost earlier run may have made ambiguous.
    pub(crate) fn settled(&self, outcome: Result<Value>) -> Result<Value> {
        match self.has_lost_run() {
            false => outcome,
            true => after_lost_run(self.name, outcome),
        }
    }

    /// The replicas that must confirm it.
    fn replicas(&self) -> Option<Replicas> {
        match self.access {
            Access::Read => None,
            Access::Write => self.node.limits.replicas,
        }
    }

    /// Sends a command and waits for its answer, which may be an error of the server's.
    ///
    /// A command that may be repeated is, once, where its connection was dropped. One that replicas
    /// are to confirm is not: a second run that finds nothing left to write waits for nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotSent`] and [`ErrorKind::MayHaveRun`].
    pub(crate) async fn send(&self, command: &Cmd, repeat: Repeat) -> Result<Value> {
        let Some(replicas) = self.replicas() else {
            return self.transmit(Request::One(command), repeat).await;
        };
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(command.clone());
        // Boxed, so that the future of the common case is a small one.
        let mut answers = Box::pin(self.send_confirmed(pipeline, replicas)).await;
        let answer = answers.pop();
        answer.unwrap_or_else(|| Err(classify::unexpected(self.name)))
    }

    /// Sends several commands together, as [`send`](Self::send) sends one, and gives the answer of
    /// each.
    pub(crate) async fn send_all(&self, pipeline: &Pipeline, repeat: Repeat) -> Vec<Result<Value>> {
        match self.replicas() {
            None => {
                let answers = self.transmit(Request::Many(pipeline), repeat).await;
                spread(self.name, pipeline.len(), answers)
            }
            Some(replicas) => self.send_confirmed(pipeline.clone(), replicas).await,
        }
    }

    /// Sends commands, followed by `WAIT` on the same connection. A successful answer is returned only
    /// if enough replicas have confirmed it.
    async fn send_confirmed(
        &self,
        mut pipeline: Pipeline,
        replicas: Replicas,
    ) -> Vec<Result<Value>> {
        pipeline.add_command(replicas.wait());
        let answers = self.transmit(Request::Many(&pipeline), Repeat::Never).await;
        let mut answers = spread(self.name, pipeline.len(), answers);
        // Where the answers were lost, each of them says so already.
        let Some(Ok(waited)) = answers.pop() else {
            return answers;
        };
        if let Err(error) = replicas.confirmed(self.name, self.location(), &waited) {
            let ran =
                |answer: &&mut Result<Value>| !matches!(answer, Err(_) | Ok(Value::ServerError(_)));
            for answer in answers.iter_mut().filter(ran) {
                *answer = Err(copy_error(&error));
            }
        }
        answers
    }

    async fn transmit(&self, request: Request<'_>, repeat: Repeat) -> Result<Value> {
        let mut repeats = match repeat {
            Repeat::Safe | Repeat::Idempotent => 1,
            Repeat::Never => 0,
        };
        let (mut lost, mut was_demoted) = (None, false);
        loop {
            let connection = match self.node.good_connection() {
                Some(connection) => connection,
                None => match Box::pin(self.node.next_connection(self.name, self.deadline)).await {
                    Ok(connection) => connection,
                    // What was sent before may still have run.
                    Err(error) => return Err(lost.map_or(error, |lost| self.lost(lost))),
                },
            };
            match self.attempt(&connection, request).await {
                Ok(value) if self.node.is_demoted_by(request.answers(&value)) => {
                    connection.health().dropped();
                    // Where nothing ran this is no repetition; but not even that goes on for ever.
                    let ran_nothing = ran_nothing(request.answers(&value));
                    let is_second = std::mem::replace(&mut was_demoted, true);
                    if !ran_nothing || is_second || !self.has_time() {
                        return Ok(value);
                    }
                    continue;
                }
                Ok(value) => return Ok(value),
                Err(error) if repeats == 0 || !self.has_time() => {
                    return Err(self.lost(error));
                }
                Err(error) => lost = Some(error),
            }
            if repeat == Repeat::Idempotent {
                self.note_lost_run();
            }
            repeats -= 1;
        }
    }

    async fn attempt(&self, connection: &Connection, request: Request<'_>) -> Result<Value, Lost> {
        let mut multiplexed = connection.multiplexed();
        let wait = connection.health().wait();
        let mut answer = pin!(request.send(&mut multiplexed));
        let answer = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if connection.health().is_still_good() => Poll::Pending,
            // Nobody may be left to answer, or to say that nobody is.
            Poll::Pending => Poll::Ready(None),
        });
        match timeout_at(self.deadline, answer).await {
            Ok(Some(Ok(value))) => {
                wait.answered();
                Ok(value)
            }
            Ok(None) => {
                wait.dropped();
                Err(Lost::Dropped(Some(io::ErrorKind::NotConnected.into())))
            }
            Ok(Some(Err(error))) => {
                // The client gives an error here only when the connection is of no more use.
                wait.dropped();
                Err(Lost::Dropped(classify::system(&error)))
            }
            Err(_) => {
                wait.unanswered();
                Err(Lost::Unanswered)
            }
        }
    }

    fn lost(&self, lost: Lost) -> Error {
        let location = &self.node.location;
        let lost_by = |text: String| Error::new(self.name, ErrorKind::MayHaveRun, text);
        match lost {
            Lost::Unanswered => {
                metrics::counter!("larder_redis_timeouts_total", "server" => location.clone())
                    .increment(1);
                let deadline = self.node.limits.deadline;
                lost_by(format!("{location} did not answer within {deadline:?}"))
            }
            Lost::Dropped(None) => lost_by(format!(
                "the answer of {location} does not follow the Redis protocol"
            )),
            Lost::Dropped(Some(system)) => {
                lost_by(format!("the connection to {location} was dropped")).with_source(system)
            }
        }
    }
}

/// How an answer was lost.
enum Lost {
    Unanswered,
    Dropped(Option<io::Error>),
}

/// The answer of each item out of the answer of all; an error of all is an error of each.
fn spread(name: &'static str, items: usize, value: Result<Value>) -> Vec<Result<Value>> {
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
