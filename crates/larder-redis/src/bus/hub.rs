use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use larder_store::{Error, ErrorKind, Refusal, Result};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ear::{Ear, Sink};
use super::subject::Subject;
use crate::route::again;

/// Which connection a subject is listened to on.
pub(super) type LinkId = u64;

/// Who listens to what, and how far the server has confirmed it.
///
/// A subject is asked for once, however many listen to it. The links do what the hub says: they take
/// what changed ([`changes`](Self::changes)), send it, and what the server says comes back here in
/// the order in which it said it ([`confirmed`](Self::confirmed), [`left`](Self::left),
/// [`audience`](Self::audience)).
pub(super) struct Hub {
    state: Mutex<State>,
    cap: usize,
    location: Arc<str>,
}

#[derive(Default)]
struct State {
    subjects: HashMap<Box<str>, Entry>,
    links: HashMap<LinkId, Link>,
    /// How many pairs of ear and subject there are.
    held: usize,
    last_number: u64,
    has_ended: bool,
}

struct Entry {
    subject: Arc<Subject>,
    link: LinkId,
    status: Status,
    ears: BTreeMap<u64, Arc<Ear>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
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
struct Link {
    /// What may have to be sent.
    changed: Vec<Box<str>>,
    told: Arc<Notify>,
    subjects: usize,
    /// Why the last dial failed.
    down: Option<Error>,
    is_up: bool,
}

impl Link {
    fn change(&mut self, text: Box<str>) {
        self.changed.push(text);
        self.told.notify_one();
    }
}

/// What a link has to send.
pub(super) enum Change {
    Subscribe(Arc<Subject>),
    Unsubscribe(Arc<Subject>),
}

impl Hub {
    pub(super) fn new(cap: usize, location: Arc<str>) -> Self {
        Self {
            state: Mutex::default(),
            cap,
            location,
        }
    }

    pub(super) fn location(&self) -> &Arc<str> {
        &self.location
    }

    /// Begins to listen. The ear is confirmed later, unless others listen to the same already.
    pub(super) fn add(&self, subjects: Vec<(Subject, LinkId)>, sink: Sink) -> Result<Arc<Ear>> {
        let mut state = self.state.lock();
        if state.has_ended {
            return Err(self.ended());
        }
        if subjects.len() > self.cap - state.held {
            return Err(self.full());
        }
        for (_, link) in &subjects {
            if let Some(down) = state.links.get(link).and_then(|link| link.down.as_ref()) {
                return Err(again(down));
            }
        }
        state.held += subjects.len();
        state.last_number += 1;
        let texts = subjects.iter().map(|(subject, _)| subject.text().into());
        let ear = Arc::new(Ear::new(state.last_number, texts.collect(), sink));
        let State {
            subjects: entries,
            links,
            ..
        } = &mut *state;
        for (subject, link) in subjects {
            let text: Box<str> = subject.text().into();
            let entry = entries.entry(text.clone()).or_insert_with(|| {
                links.entry(link).or_default().subjects += 1;
                Entry {
                    subject: Arc::new(subject),
                    link,
                    status: Status::Off,
                    ears: BTreeMap::new(),
                }
            });
            entry.ears.insert(ear.number, ear.clone());
            if entry.status != Status::On {
                ear.lost_one();
                links.entry(entry.link).or_default().change(text);
            }
        }
        if ear.hears() {
            ear.is_complete();
        }
        Ok(ear)
    }

    /// Ends to listen.
    pub(super) fn remove(&self, number: u64, texts: &[Box<str>]) {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        for text in texts {
            gone.extend(state.take_ear(text, number));
        }
        // Its mailbox may wake somebody: not under the lock.
        drop(state);
        drop(gone);
    }

    /// What a link has to send now.
    pub(super) fn changes(&self, id: LinkId) -> Vec<Change> {
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        let Some(link) = links.get_mut(&id) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        for text in std::mem::take(&mut link.changed) {
            let Some(entry) = subjects.get_mut(&text).filter(|entry| entry.link == id) else {
                continue;
            };
            match (entry.status, entry.ears.is_empty()) {
                (Status::Off, false) => {
                    entry.status = Status::Asked;
                    changes.push(Change::Subscribe(entry.subject.clone()));
                }
                (Status::On, true) => {
                    entry.status = Status::Leaving;
                    changes.push(Change::Unsubscribe(entry.subject.clone()));
                }
                (Status::Off, true) => {
                    subjects.remove(&text);
                    link.subjects -= 1;
                }
                // It is looked at again when the server has answered.
                (Status::On, false) | (Status::Asked | Status::Leaving, _) => {}
            }
        }
        changes
    }

    /// What tells a link that something changed.
    pub(super) fn told(&self, id: LinkId) -> Arc<Notify> {
        self.state.lock().links.entry(id).or_default().told.clone()
    }

    /// Whether anything is listened to on a link, or still known to its server.
    pub(super) fn is_wanted(&self, id: LinkId) -> bool {
        let state = self.state.lock();
        state.links.get(&id).is_some_and(|link| link.subjects > 0)
    }

    /// Whether a link has a connection.
    pub(super) fn is_up(&self, id: LinkId) -> bool {
        let state = self.state.lock();
        state.links.get(&id).is_some_and(|link| link.is_up)
    }

    /// A link has a connection, on which nothing is listened to yet.
    pub(super) fn up(&self, id: LinkId) {
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        let link = links.entry(id).or_default();
        (link.is_up, link.down) = (true, None);
        let mine = subjects.iter().filter(|(_, entry)| entry.link == id);
        link.changed = mine.map(|(text, _)| text.clone()).collect();
    }

    /// The connection of a link is gone, and all that was confirmed on it. Nothing of it is told to
    /// the hub any more.
    pub(super) fn lost(&self, id: LinkId) {
        let mut state = self.state.lock();
        state.links.entry(id).or_default().is_up = false;
        for entry in state.of(id) {
            if entry.status == Status::On {
                entry.ears.values().for_each(|ear| ear.lost_one());
            }
            entry.status = Status::Off;
        }
        // What nobody wants any more needs no connection to be forgotten.
        state.forget(id);
    }

    /// A link cannot be dialed. Who waits for it is told; who listened goes on waiting.
    pub(super) fn down(&self, id: LinkId, error: Error) {
        let mut state = self.state.lock();
        let waiting: Vec<_> = state
            .of(id)
            .flat_map(|entry| entry.ears.values())
            .filter(|ear| !ear.listens())
            .cloned()
            .collect();
        for ear in &waiting {
            for text in &ear.texts {
                state.take_ear(text, ear.number);
            }
        }
        state.forget(id);
        state.links.entry(id).or_default().down = Some(again(&error));
        drop(state);
        for ear in waiting {
            ear.refuse(again(&error));
        }
    }

    /// Nobody dials for now, since nobody wants to listen.
    pub(super) fn rest(&self, id: LinkId) {
        self.state.lock().links.entry(id).or_default().down = None;
    }

    /// The server will not let anybody listen to this. All who do are told, or end.
    pub(super) fn refused(&self, text: &str, error: &Error) {
        let mut state = self.state.lock();
        let Some(entry) = state.subjects.remove(text) else {
            return;
        };
        if let Some(link) = state.links.get_mut(&entry.link) {
            link.subjects -= 1;
        }
        for ear in entry.ears.values() {
            state.held -= 1;
            for other in ear.texts.iter().filter(|other| &***other != text) {
                state.take_ear(other, ear.number);
            }
        }
        drop(state);
        for ear in entry.ears.values() {
            ear.refuse(again(error));
        }
    }

    /// The server has confirmed a subject.
    pub(super) fn confirmed(&self, id: LinkId, text: &str) {
        let mut complete = Vec::new();
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        let asked = |entry: &&mut Entry| entry.link == id && entry.status == Status::Asked;
        if let Some(entry) = subjects.get_mut(text).filter(asked) {
            entry.status = Status::On;
            let ears = entry.ears.values();
            complete.extend(ears.filter(|ear| ear.won_one()).cloned());
            if let Some(link) = links.get_mut(&id).filter(|_| entry.ears.is_empty()) {
                link.change(text.into());
            }
        }
        drop(state);
        for ear in complete {
            ear.is_complete();
        }
    }

    /// The server has forgotten a subject; tells whether it was asked to.
    pub(super) fn left(&self, id: LinkId, text: &str) -> bool {
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        let leaving = |entry: &&mut Entry| entry.link == id && entry.status == Status::Leaving;
        let Some(entry) = subjects.get_mut(text).filter(leaving) else {
            return false;
        };
        entry.status = Status::Off;
        if let Some(link) = links.get_mut(&id) {
            link.change(text.into());
        }
        true
    }

    /// The server says that a subject is listened to elsewhere.
    pub(super) fn misplaced(&self, id: LinkId, text: &str) {
        let mut state = self.state.lock();
        let asked = |entry: &&mut Entry| entry.link == id && entry.status == Status::Asked;
        if let Some(entry) = state.subjects.get_mut(text).filter(asked) {
            entry.status = Status::Off;
        }
    }

    /// Listens to each sharded subject where `place` says. Who heard it elsewhere hears of a gap
    /// when it is confirmed there. What stays and is not confirmed is asked for once more.
    pub(super) fn place_anew(&self, place: impl Fn(&Subject) -> Option<LinkId>) {
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        for (text, entry) in subjects {
            if !entry.subject.is_sharded() {
                continue;
            }
            let to = place(&entry.subject).unwrap_or(entry.link);
            if to != entry.link {
                if entry.status == Status::On {
                    entry.ears.values().for_each(|ear| ear.lost_one());
                }
                entry.status = Status::Off;
                links.entry(entry.link).or_default().subjects -= 1;
                links.entry(to).or_default().subjects += 1;
                entry.link = to;
            }
            if entry.status == Status::Off {
                links.entry(to).or_default().change(text.clone());
            }
        }
    }

    /// All who listen on a link may have missed something.
    pub(super) fn leave_gaps(&self, id: LinkId) {
        let mut state = self.state.lock();
        let entries = state.of(id);
        let ears: Vec<_> = entries
            .flat_map(|entry| entry.ears.values().cloned())
            .collect();
        drop(state);
        for ear in ears.iter().filter(|ear| ear.listens()) {
            ear.leave_gap();
        }
    }

    /// Who hears what comes by a subject, and what that is.
    pub(super) fn audience(&self, id: LinkId, text: &str) -> Option<(Arc<Subject>, Vec<Arc<Ear>>)> {
        let state = self.state.lock();
        let entry = state.subjects.get(text).filter(|entry| entry.link == id)?;
        let hear = entry.ears.values().filter(|ear| ear.hears());
        Some((entry.subject.clone(), hear.cloned().collect()))
    }

    /// Nobody listens any more: the store, or its runtime, is gone.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        let subjects = std::mem::take(&mut state.subjects);
        state.links.clear();
        state.held = 0;
        drop(state);
        for ear in subjects.values().flat_map(|entry| entry.ears.values()) {
            ear.refuse(self.ended());
        }
    }

    fn ended(&self) -> Error {
        let text = format!(
            "the tokio runtime in which this store for {} was made has ended: make the store in \
             the runtime that uses it",
            self.location
        );
        Error::new("subscribe", ErrorKind::NotSent, text)
    }

    fn full(&self) -> Error {
        let text = format!(
            "the store has its {} subscriptions, counted by their channels: raise it with \
             RedisStore::builder(url).with_subscriptions(number)",
            self.cap
        );
        Error::new("subscribe", ErrorKind::Refused(Refusal::Full), text)
    }
}

impl State {
    fn of(&mut self, id: LinkId) -> impl Iterator<Item = &mut Entry> {
        let entries = self.subjects.values_mut();
        entries.filter(move |entry| entry.link == id)
    }

    /// Takes an ear off a subject.
    fn take_ear(&mut self, text: &str, number: u64) -> Option<Arc<Ear>> {
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
    fn forget(&mut self, id: LinkId) {
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
