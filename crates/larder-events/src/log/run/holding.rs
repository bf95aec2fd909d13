//! The events that a consumer holds, and what it sends to the store about them while its handlers go on.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::Id;
use tokio::time::{Instant, sleep_until};

use super::calls::Calls;
use super::tally::{Outcome, Sent, Tally};
use crate::log::Group;
use crate::log::settle::{Held, What};

/// The events in handlers, and those whose outcome is on its way to the store.
pub(super) struct Holding<T> {
    group: Group<T>,
    calls: Calls,
    /// The events in handlers, by their tasks.
    held: HashMap<Id, Held>,
    renew_at: Instant,
    is_renewing: bool,
    /// Events that are handled, until the next acknowledgement is sent.
    handled: Vec<Held>,
    is_acknowledging: bool,
    sent: FuturesUnordered<Pin<Box<dyn Future<Output = Answered> + Send>>>,
    /// The number of events whose outcome was sent and not answered yet.
    unanswered: usize,
    pub(super) tally: Tally,
}

/// A call that has ended.
enum Answered {
    Renewal,
    Outcome(Sent),
}

impl<T: 'static> Holding<T> {
    pub(super) fn new(group: Group<T>, calls: Calls) -> Self {
        Self {
            tally: Tally::new(&group),
            group,
            calls,
            held: HashMap::new(),
            renew_at: Instant::now(),
            is_renewing: false,
            handled: Vec::new(),
            is_acknowledging: false,
            sent: FuturesUnordered::new(),
            unanswered: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len() + self.handled.len() + self.unanswered
    }

    /// Holds an event while its handler runs.
    pub(super) fn insert(&mut self, task: Id, held: Held) {
        if self.held.is_empty() {
            self.renew_at = Instant::now() + self.renew_every();
        }
        self.held.insert(task, held);
    }

    /// Returns the event whose handler has ended.
    pub(super) fn remove(&mut self, task: Id) -> Option<Held> {
        self.held.remove(&task)
    }

    /// Returns how many events it has left to others, or still holds.
    pub(super) fn left(&self) -> u64 {
        (self.tally.left + self.len()) as u64
    }

    /// Acknowledges events: at once, or together with others when the store has answered the last call.
    pub(super) fn acknowledge(&mut self, handled: Vec<Held>) {
        self.handled.extend(handled);
        if !self.is_acknowledging && !self.handled.is_empty() {
            self.is_acknowledging = true;
            let handled = std::mem::take(&mut self.handled);
            self.settle(What::Ack, handled, Outcome::Done);
        }
    }

    /// Sends an outcome, until the store has it.
    pub(super) fn settle(&mut self, what: What, held: Vec<Held>, outcome: Outcome) {
        self.unanswered += held.len();
        let (group, calls) = (self.group.clone(), self.calls.clone());
        let sending = Sent::send(group, calls, what, held, outcome);
        self.sent
            .push(Box::pin(async { Answered::Outcome(sending.await) }));
    }

    /// Takes one answer of the store, or begins to renew the leases of events in handlers when that is due. It waits
    /// for ever if there is neither. A dropped call loses nothing.
    pub(super) async fn step(&mut self) {
        let renews = !self.held.is_empty() && !self.is_renewing;
        tokio::select! {
            biased;
            Some(answered) = self.sent.next() => self.note(answered),
            () = sleep_until(self.renew_at), if renews => self.renew(),
            else => pending().await,
        }
    }

    /// Waits until the store has answered all outcomes.
    pub(super) async fn settled(&mut self) {
        while self.unanswered > 0
            && let Some(answered) = self.sent.next().await
        {
            self.note(answered);
        }
    }

    fn renew(&mut self) {
        self.renew_at = Instant::now() + self.renew_every();
        self.is_renewing = true;
        let held = self.held.values().cloned().collect();
        let (group, calls) = (self.group.clone(), self.calls.clone());
        self.sent.push(Box::pin(async move {
            // If a lease is lost, that is noticed when its handler has finished.
            let extended = group.settle(What::Extend, held);
            if let Err(error) = calls.run("extend", extended).await {
                tracing::warn!(group = group.name(), %error, "leases cannot be extended; trying again");
            }
            Answered::Renewal
        }));
    }

    fn renew_every(&self) -> Duration {
        Duration::from(self.group.lease) / 3
    }

    fn note(&mut self, answered: Answered) {
        let sent = match answered {
            Answered::Renewal => {
                self.is_renewing = false;
                return;
            }
            Answered::Outcome(sent) => sent,
        };
        self.unanswered -= sent.many;
        self.tally.count(&sent);
        if sent.outcome == Outcome::Done {
            self.is_acknowledging = false;
            self.acknowledge(Vec::new());
        }
    }
}
