use std::collections::{BTreeMap, HashMap};
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
        if entry.ears.is_empty()
            && let Some(link) = self.links.get_mut(&entry.link)
        {
            link.change(text.into());
        }
        Some(ear)
    }

    /// Drops the subjects of a link that nobody wants and that no server knows.
    pub(super) fn forget(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        self.subjects.retain(|_, entry| {
            let is_idle = entry.status == Status::Off && entry.ears.is_empty();
            let stays = entry.link != id || !is_idle;
            if !stays {
                link.subjects -= 1;
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
    /// What may have to be sent.
    pub(super) changed: Vec<Box<str>>,
    pub(super) told: Arc<Notify>,
    pub(super) subjects: usize,
    /// Why the last dial failed.
    pub(super) down: Option<Error>,
    pub(super) is_up: bool,
}

impl Link {
    pub(super) fn change(&mut self, text: Box<str>) {
        self.changed.push(text);
        self.told.notify_one();
    }
}
