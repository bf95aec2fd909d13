use std::future::poll_fn;
use std::io;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Pipeline, RedisResult, Value};
use larder_store::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use super::line::Line;
use super::member::Member;
use super::node::Node;
use crate::classify;

/// Whether a request may be sent again after its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Twice is the same as once.
    Safe,
    /// Twice may be more than once.
    Never,
}

/// What is sent in one go.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    /// One command, and its answer.
    One(&'a Cmd),
    /// Several, and an array of as many answers.
    Many(&'a Pipeline),
}

impl Request<'_> {
    async fn send(self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        match self {
            Self::One(command) => connection.send_packed_command(command).await,
            Self::Many(pipeline) => {
                let answers = connection.send_packed_commands(pipeline, 0, pipeline.len());
                // Boxed, so that the future of a single command is a small one.
                Box::pin(answers).await.map(Value::Array)
            }
        }
    }
}

/// One operation on a node, from its begin to its deadline.
pub(crate) struct Operation<'a> {
    node: Held<'a>,
    name: &'static str,
    deadline: Instant,
}

/// The node of an operation: where there is one node only it is borrowed, where the node may be
/// replaced meanwhile it is kept alive.
enum Held<'a> {
    Borrowed(&'a Node),
    Shared(Arc<Member>),
}

impl Deref for Held<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        match self {
            Self::Borrowed(node) => node,
            Self::Shared(member) => member,
        }
    }
}

impl Node {
    /// Begins an operation, unless too many are in flight.
    pub(crate) fn begin(&self, name: &'static str) -> Result<Operation<'_>> {
        self.begin_within(name, self.limits.deadline)
    }

    /// [`begin`](Self::begin) with a deadline of its own.
    pub(crate) fn begin_within(
        &self,
        name: &'static str,
        deadline: Duration,
    ) -> Result<Operation<'_>> {
        Operation::begin(Held::Borrowed(self), name, Instant::now() + deadline)
    }
}

impl Member {
    /// Begins an operation that may outlive the member's place in its cluster.
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

    /// Sends a request and waits for its answer, which may be an error of the server's.
    ///
    /// A request that may be repeated is, once, where its connection was dropped.
    ///
    /// # Errors
    /// [`ErrorKind::NotSent`] and [`ErrorKind::MayHaveRun`].
    pub(crate) async fn send(&self, request: Request<'_>, repeat: Repeat) -> Result<Value> {
        let mut repeats = match repeat {
            Repeat::Safe => 1,
            Repeat::Never => 0,
        };
        let (mut lost, mut was_demoted) = (None, false);
        loop {
            let line = match self.node.good_line() {
                Some(line) => line,
                None => match Box::pin(self.node.next_line(self.name, self.deadline)).await {
                    Ok(line) => line,
                    // What was sent before may still have run.
                    Err(error) => return Err(lost.map_or(error, |lost| self.lost(lost))),
                },
            };
            match self.attempt(&line, request).await {
                Ok(value) if self.node.is_demoted_by(&value) => {
                    line.health().dropped();
                    // Nothing ran, so this is no repetition; but not even that goes on for ever.
                    if std::mem::replace(&mut was_demoted, true) || !self.has_time() {
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
            repeats -= 1;
        }
    }

    async fn attempt(&self, line: &Line, request: Request<'_>) -> Result<Value, Lost> {
        let mut connection = line.connection();
        let wait = line.health().wait();
        let mut answer = pin!(request.send(&mut connection));
        let answer = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if line.health().is_still_good() => Poll::Pending,
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
            Lost::Dropped(None) => lost_by(format!("{location} answered what is not Redis")),
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
