use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use larder_store::Error;
use tokio::sync::Notify;

use crate::bus::subject::Subject;
use crate::bus::subscriber::Subscriber;

/// The number of a link, which carries subjects over one connection.
pub(in crate::bus) type LinkId = u64;

#[derive(Default)]
pub(super) struct State {
    pub(super) subjects: HashMap<Box<str>, Entry>,
    pub(super) links: HashMap<LinkId, LinkState>,
    /// The number of pairs of subscriber and subject.
    pub(super) held: usize,
    pub(super) last_number: u64,
    pub(super) has_ended: bool,
}

impl State {
    pub(super) fn entries_on(&mut self, id: LinkId) -> impl Iterator<Item = &mut Entry> {
        let entries = self.subjects.values_mut();
        entries.filter(move |entry| entry.link == id)
    }

    /// Removes a subscriber from a subject.
    pub(super) fn take_subscriber(&mut self, text: &str, number: u64) -> Option<Arc<Subscriber>> {
        let entry = self.subjects.get_mut(text)?;
        let subscriber = entry.subscribers.remove(&number)?;
        self.held -= 1;
        if entry.subscribers.is_empty() {
            let (id, is_idle) = (entry.link, entry.is_idle());
            if is_idle {
                self.subjects.remove(text);
            }
            match self.links.get_mut(&id) {
                Some(link) if is_idle => link.forget(text),
                Some(link) => link.change(text.into()),
                None => {}
            }
        }
        Some(subscriber)
    }

    /// Drops the idle subjects of a link.
    pub(super) fn forget(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        self.subjects.retain(|text, entry| {
            let stays = entry.link != id || !entry.is_idle();
            if !stays {
                link.forget(text);
            }
            stays
        });
    }
}

pub(super) struct Entry {
    pub(super) subject: Arc<Subject>,
    pub(super) link: LinkId,
    pub(super) status: Status,
    pub(super) subscribers: BTreeMap<u64, Arc<Subscriber>>,
}

impl Entry {
    /// Returns whether it has no subscriber, and no server knows it.
    pub(super) fn is_idle(&self) -> bool {
        self.status == Status::Off && self.subscribers.is_empty()
    }

    /// Records that no server knows the subject any more.
    pub(super) fn turn_off(&mut self) {
        if self.status == Status::On {
            for subscriber in self.subscribers.values() {
                subscriber.unconfirm_one();
            }
        }
        self.status = Status::Off;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The server does not know of it.
    Off,
    /// `SUBSCRIBE` is on its way.
    Asked,
    /// The server has confirmed it.
    On,
    /// `UNSUBSCRIBE` is on its way.
    Leaving,
}

/// The registry's knowledge of a link.
#[derive(Default)]
pub(super) struct LinkState {
    /// The subjects that may have to be sent, each once.
    ///
    /// It is empty while there is no connection: a new one begins with all wanted subjects.
    pub(super) changed: BTreeSet<Box<str>>,
    pub(super) notifier: Arc<Notify>,
    pub(super) subjects: usize,
    /// Why the last dial failed.
    pub(super) down: Option<Error>,
    pub(super) is_up: bool,
}

impl LinkState {
    /// Notes that a subject may have to be subscribed to, or unsubscribed from.
    pub(super) fn change(&mut self, text: Box<str>) {
        if self.is_up {
            self.changed.insert(text);
        }
        self.notifier.notify_one();
    }

    /// Removes a subject from the link.
    pub(super) fn forget(&mut self, text: &str) {
        self.subjects -= 1;
        self.changed.remove(text);
        self.notifier.notify_one();
    }
}
