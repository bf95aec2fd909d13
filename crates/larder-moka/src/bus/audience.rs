use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use larder_store::{Mailbox, Message};
use smallvec::SmallVec;

/// Who listens to one channel or topic, by the numbers of their subscriptions.
#[derive(Default)]
pub(super) struct Audience(BTreeMap<u64, Arc<Mailbox>>);

impl Audience {
    pub(super) fn add(&mut self, number: u64, mailbox: Arc<Mailbox>) {
        self.0.insert(number, mailbox);
    }

    /// Gives back the mailbox, to be dropped out of the lock: that wakes its subscriber.
    #[must_use]
    pub(super) fn remove(&mut self, number: u64) -> Option<Arc<Mailbox>> {
        self.0.remove(&number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How many mailboxes are looked up under one lock.
const ROUND: usize = 16;

/// Delivers a message to an audience, a round at a time. `with` gives the audience under its lock,
/// which is not held while subscribers are woken: what a waker runs is its owner's affair.
///
/// Numbers only rise, so each of those who listen all along is met once, whoever comes and goes.
pub(super) fn deliver(message: &Message, with: impl Fn(&mut dyn FnMut(&Audience))) {
    let mut after = None;
    loop {
        let mut round: SmallVec<[(u64, Arc<Mailbox>); ROUND]> = SmallVec::new();
        with(&mut |audience| {
            let begin = after.map_or(Unbounded, Excluded);
            let next = audience.0.range((begin, Unbounded)).take(ROUND);
            round.extend(next.map(|(number, mailbox)| (*number, mailbox.clone())));
        });
        for (_, mailbox) in &round {
            mailbox.deliver(message.clone());
        }
        match round.last() {
            Some((last, _)) if round.len() == ROUND => after = Some(*last),
            _ => return,
        }
    }
}
