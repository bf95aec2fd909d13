use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use larder_store::Error;
use tokio::sync::Notify;

use super::LinkId;
use crate::bus::ear::Ear;
use crate::bus::subject::Subject;

#[derive(Default)]
pub(super) struct State {
    pub(super) subjects: HashMap<Box<str>, Entry>,
    pub(super) links: HashMap<LinkId, Link>,
    /// How many pairs of ear and subject there are.
    pub(super) held: usize,
    pub(super) last_number: u64,
    pub(super) has_ended: bool,
}

impl State {
    pub(super) fn of(&mut self, id: LinkId) -> impl Iterator<Item = &mut Entry> {
        let entries = self.subjects.values_mut();
        entries.filter(move |entry| entry.link == id)
    }

    /// Takes an ear off a subject.
    pub(super) fn take_ear(&mut self, text: &str, number: u64) -> Option<Arc<Ear>> {
        let entry = self.subjects.get_mut(text)?;
        let ear = entry.ears.remove(&number)?;
        self.held -= 1;
        if entry.ears.is_empty() {
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
        Some(ear)
    }

    /// Drops the subjects of a link that nobody wants and that no server knows.
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
    pub(super) ears: BTreeMap<u64, Arc<Ear>>,
}

impl Entry {
    /// Whether nobody wants it, and no server knows it.
    pub(super) fn is_idle(&self) -> bool {
        self.status == Status::Off && self.ears.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The server does not know of it.
    Off,
    /// The server is asked for it.
    Asked,
    /// The server has confirmed it.
    On,
    /// The server is asked to forget it.
    Leaving,
}

/// What the hub knows of a connection.
#[derive(Default)]
pub(super) struct Link {
    /// What may have to be sent, each subject once. While there is no connection there is nothing
    /// here: a new one begins with all that is wanted.
    pub(super) changed: BTreeSet<Box<str>>,
    pub(super) told: Arc<Notify>,
    pub(super) subjects: usize,
    /// Why the last dial failed.
    pub(super) down: Option<Error>,
    pub(super) is_up: bool,
}

impl Link {
    /// A subject may have to be asked for, or left.
    pub(super) fn change(&mut self, text: Box<str>) {
        if self.is_up {
            self.changed.insert(text);
        }
        self.told.notify_one();
    }

    /// A subject is not listened to here any more.
    pub(super) fn forget(&mut self, text: &str) {
        self.subjects -= 1;
        self.changed.remove(text);
        self.told.notify_one();
    }
}
