//! Follows the redirects of one operation.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, Value, cmd};
use larder_store::{ErrorKind, Result};
use tokio::time::{Instant, sleep_until};

use super::redirect::{MOST_HOPS, Redirect, nameless, too_many, unserved};
use super::{Shard, Shared};
use crate::classify;
use crate::connection::HostPort;
use crate::node::{Access, SupervisedNode};
use crate::operation::{Operation, Repeat, Request, Sequence};

/// The first pause before an operation asks again: about the time that a key takes to move.
const PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// The next node of a redirected operation.
#[derive(Clone)]
pub(super) struct Hop {
    pub(super) node: Arc<SupervisedNode>,
    /// Send `ASKING` first: the node does not serve the slot yet.
    pub(super) is_asking: bool,
}

/// The redirects of one operation so far.
#[derive(Clone)]
pub(crate) struct RedirectState {
    pub(super) name: &'static str,
    request: Request,
    deadline: Instant,
    hops: usize,
    pause: Duration,
}

impl RedirectState {
    /// Makes the redirects of `request`, which ends at `deadline`.
    pub(crate) fn new(request: Request, deadline: Instant) -> Self {
        Self {
            name: request.name,
            request: request.by(deadline),
            deadline,
            hops: 0,
            pause: PAUSE,
        }
    }

    /// Counts a redirection that is followed at once.
    ///
    /// # Errors
    /// When there were too many.
    pub(super) fn hop(&mut self) -> Result<()> {
        self.hops += 1;
        match self.hops > MOST_HOPS {
            true => Err(too_many(self.name)),
            false => Ok(()),
        }
    }

    /// Waits a little, longer each time, but not beyond the deadline.
    pub(super) async fn pause(&mut self) {
        self.hops = 0;
        let until = Instant::now() + self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        sleep_until(until.min(self.deadline)).await;
    }

    pub(crate) fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }
}

impl Shard<'_> {
    /// Returns whether an outcome may be a redirect, which [`follow`](Self::follow) decides.
    pub(crate) fn is_elsewhere(&self, outcome: &Result<Value>) -> bool {
        matches!(outcome, Err(_) | Ok(Value::ServerError(_)))
    }

    /// Follows redirects from the first node until the command has an answer.
    ///
    /// A node that redirects a command has not run it, so this is safe even for commands that must
    /// run once. The operation then no longer counts as in flight to the first node.
    pub(crate) async fn follow(
        &self,
        first: &Operation<'_>,
        command: &Cmd,
        repeat: Repeat,
        outcome: Result<Value>,
    ) -> Result<Value> {
        let shared = &self.cluster.shared;
        let mut redirects = RedirectState::new(first.request(), first.deadline());
        let mut outcome = outcome;
        let mut asked_host = first.host().to_owned();
        loop {
            let Some(redirect) = shared.heed(&outcome, &asked_host) else {
                return outcome;
            };
            if !redirects.has_time() {
                return outcome;
            }
            first.leave();
            let hop = match &redirect {
                Redirect::Moved(host_port) => {
                    shared.hop_to(redirects.name, host_port.as_ref(), false)?
                }
                Redirect::Ask(host_port) => {
                    shared.hop_to(redirects.name, host_port.as_ref(), true)?
                }
                _ => {
                    redirects.pause().await;
                    // If it were sent at the deadline it would get no answer; and nothing has been
                    // executed so far.
                    if !redirects.has_time() {
                        return outcome;
                    }
                    let node = shared.master(redirects.name, self.slot)?;
                    Hop::to(node)
                }
            };
            if matches!(redirect, Redirect::Moved(_) | Redirect::Ask(_)) {
                redirects.hop()?;
            }
            asked_host = hop.node.host().to_owned();
            outcome = hop.send(&redirects, first, command, repeat).await;
        }
    }
}

/// Makes the command after which a node serves a key of a slot that has not arrived as a whole.
pub(super) fn asking() -> Cmd {
    cmd("ASKING")
}

impl Hop {
    pub(super) fn to(node: Arc<SupervisedNode>) -> Self {
        Self {
            node,
            is_asking: false,
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node) && self.is_asking == other.is_asking
    }

    /// Sends the command that `first` was redirected with.
    async fn send(
        &self,
        redirects: &RedirectState,
        first: &Operation<'_>,
        command: &Cmd,
        repeat: Repeat,
    ) -> Result<Value> {
        let operation = self.begin(redirects)?;
        let outcome = match self.is_asking {
            false => operation.send(command, repeat).await,
            true => {
                let mut sequence = Sequence::with_capacity(2);
                sequence.add(asking(), Access::Read);
                sequence.add(command.clone(), redirects.request.access);
                let answer = operation.send_sequence(&mut sequence, repeat).await.pop();
                answer.unwrap_or_else(|| Err(classify::unexpected(redirects.name)))
            }
        };
        if operation.has_lost_run() {
            first.note_lost_run();
        }
        outcome
    }

    pub(super) fn begin(&self, redirects: &RedirectState) -> Result<Operation<'static>> {
        self.node.begin_shared(redirects.request)
    }
}

impl Shared {
    /// Returns the redirect in an outcome, if any. Wakes the refresher if the map is outdated.
    pub(super) fn heed(&self, outcome: &Result<Value>, asked_host: &str) -> Option<Redirect> {
        let redirect = match outcome {
            Ok(answer) => Redirect::parse(answer, asked_host)?,
            Err(error) => {
                if matches!(error.kind(), ErrorKind::NotSent | ErrorKind::MayHaveRun) {
                    self.note_trouble();
                }
                return None;
            }
        };
        let kind = match redirect {
            Redirect::Moved(_) | Redirect::ReadOnly => {
                self.note_outdated();
                "moved"
            }
            Redirect::Ask(_) => "ask",
            Redirect::TryAgain => "tryagain",
            Redirect::Down => {
                self.note_trouble();
                return None;
            }
        };
        metrics::counter!("larder_redis_redirects_total", "kind" => kind).increment(1);
        Some(redirect)
    }

    /// Returns the node that a redirection names.
    pub(super) fn hop_to(
        &self,
        name: &'static str,
        host_port: Option<&HostPort>,
        is_asking: bool,
    ) -> Result<Hop> {
        let host_port = host_port.ok_or_else(|| nameless(name))?;
        let node = self.nodes.at(host_port).ok_or_else(|| unserved(name))?;
        Ok(Hop { node, is_asking })
    }
}
