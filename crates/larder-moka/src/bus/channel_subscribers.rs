use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use larder_store::bus::{Mailbox, Message};
use smallvec::SmallVec;

/// The mailboxes of one channel or topic, by the numbers of their subscriptions.
#[derive(Default)]
pub(super) struct ChannelSubscribers(BTreeMap<u64, Arc<Mailbox>>);

impl ChannelSubscribers {
    pub(super) fn add(&mut self, number: u64, mailbox: Arc<Mailbox>) {
        self.0.insert(number, mailbox);
    }

    /// Returns the mailbox. Drop it outside the lock, since that wakes its subscriber.
    #[must_use]
    pub(super) fn remove(&mut self, number: u64) -> Option<Arc<Mailbox>> {
        self.0.remove(&number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The number of mailboxes that are looked up under one lock.
const ROUND: usize = 16;

/// Delivers a message to all subscribers, a round at a time. `with` lends the subscribers under their
/// lock, which is released before they are woken: wakers run code that is not ours.
///
/// Numbers only rise, so each subscriber that stays is reached once, even if others come and go.
pub(super) fn deliver(message: &Message, with: impl Fn(&mut dyn FnMut(&ChannelSubscribers))) {
    let mut after = None;
    loop {
        let mut round: SmallVec<[(u64, Arc<Mailbox>); ROUND]> = SmallVec::new();
        with(&mut |subscribers| {
            let begin = after.map_or(Unbounded, Excluded);
            let next = subscribers.0.range((begin, Unbounded)).take(ROUND);
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
