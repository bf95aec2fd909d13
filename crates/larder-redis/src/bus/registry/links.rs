//! The links' side of the registry: connections, changes and the server's answers.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use larder_store::Error;
use tokio::sync::Notify;

use super::SubscriptionRegistry;
use super::state::{Entry, LinkId, LinkState, State, Status};
use crate::bus::subject::Subject;
use crate::classify::copy_error;

/// A change that a link must send.
pub(in crate::bus) enum Change {
    Subscribe(Arc<Subject>),
    Unsubscribe(Arc<Subject>),
}

impl SubscriptionRegistry {
    /// Returns whether a link has subjects, or its server still knows of some.
    pub(in crate::bus) fn is_wanted(&self, id: LinkId) -> bool {
        let state = self.state.lock();
        state.links.get(&id).is_some_and(|link| link.subjects > 0)
    }

    /// Returns whether a link has a connection.
    pub(in crate::bus) fn is_up(&self, id: LinkId) -> bool {
        let state = self.state.lock();
        state.links.get(&id).is_some_and(|link| link.is_up)
    }

    /// Records that a link has a new connection, without subscriptions yet.
    pub(in crate::bus) fn up(&self, id: LinkId) {
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        let link = links.entry(id).or_default();
        (link.is_up, link.down) = (true, None);
        let mine = subjects.iter().filter(|(_, entry)| entry.link == id);
        link.changed = mine.map(|(text, _)| text.clone()).collect();
    }

    /// Records that a link has lost its connection, and with it all confirmations. The link reports
    /// nothing of that connection afterwards.
    pub(in crate::bus) fn lost(&self, id: LinkId) {
        let mut state = self.state.lock();
        let link = state.links.entry(id).or_default();
        link.is_up = false;
        link.changed.clear();
        for entry in state.entries_on(id) {
            entry.turn_off();
        }
        // Unused subjects are forgotten even without a connection.
        state.forget(id);
    }

    /// Records that a link cannot connect. Fails its pending subscriptions; confirmed ones keep waiting.
    pub(in crate::bus) fn down(&self, id: LinkId, error: Error) {
        let mut state = self.state.lock();
        // Each subscriber once, however many of its subjects are on the link.
        let waiting: BTreeMap<_, _> = state
            .entries_on(id)
            .flat_map(|entry| entry.subscribers.values())
            .filter(|subscriber| !subscriber.is_subscribed())
            .map(|subscriber| (subscriber.number, subscriber.clone()))
            .collect();
        for subscriber in waiting.values() {
            for text in &subscriber.texts {
                state.take_subscriber(text, subscriber.number);
            }
        }
        state.forget(id);
        state.links.entry(id).or_default().down = Some(copy_error(&error));
        drop(state);
        for subscriber in waiting.into_values() {
            subscriber.refuse(copy_error(&error));
        }
    }

    /// Forgets the last failure of a link that has no subscribers and does not dial.
    pub(in crate::bus) fn clear_failure(&self, id: LinkId) {
        self.state.lock().links.entry(id).or_default().down = None;
    }

    /// Moves each sharded subject to the link of `link_of`. Its subscribers receive a gap when it is
    /// confirmed there. A subject that stays and is not confirmed is subscribed to again.
    pub(in crate::bus) fn reassign(&self, link_of: impl Fn(&Subject) -> Option<LinkId>) {
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        for (text, entry) in subjects {
            if !entry.subject.is_sharded() {
                continue;
            }
            let to = link_of(&entry.subject).unwrap_or(entry.link);
            if to != entry.link {
                entry.turn_off();
                links.entry(entry.link).or_default().forget(text);
                links.entry(to).or_default().subjects += 1;
                entry.link = to;
            }
            if entry.status == Status::Off {
                links.entry(to).or_default().change(text.clone());
            }
        }
    }

    /// Forgets links that are not `living` and have no subjects.
    ///
    /// Subjects must be reassigned first.
    pub(in crate::bus) fn keep_links(&self, living: impl FnOnce() -> HashSet<LinkId>) {
        let mut state = self.state.lock();
        // Called under the lock, so that no new link is forgotten.
        let living = living();
        let is_kept = |id: &LinkId, link: &LinkState| link.subjects > 0 || living.contains(id);
        state.links.retain(|id, link| is_kept(id, link));
    }

    /// Leaves a gap in every subscription on a link.
    pub(in crate::bus) fn leave_gaps(&self, id: LinkId) {
        let mut state = self.state.lock();
        let entries = state.entries_on(id);
        let subscribers: Vec<_> = entries
            .flat_map(|entry| entry.subscribers.values().cloned())
            .collect();
        drop(state);
        for subscriber in subscribers
            .iter()
            .filter(|subscriber| subscriber.is_subscribed())
        {
            subscriber.leave_gap();
        }
    }

    /// Returns what is notified when a link has changes to send.
    pub(in crate::bus) fn notifier(&self, id: LinkId) -> Arc<Notify> {
        self.state
            .lock()
            .links
            .entry(id)
            .or_default()
            .notifier
            .clone()
    }

    /// Takes the changes that a link must send now.
    pub(in crate::bus) fn changes(&self, id: LinkId) -> Vec<Change> {
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
            match (entry.status, entry.subscribers.is_empty()) {
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
                    link.forget(&text);
                }
                // It is checked again when the server has answered.
                (Status::On, false) | (Status::Asked | Status::Leaving, _) => {}
            }
        }
        changes
    }

    /// Records that the server has confirmed a subject.
    pub(in crate::bus) fn confirmed(&self, id: LinkId, text: &str) {
        let mut complete = Vec::new();
        let mut state = self.state.lock();
        let State {
            subjects, links, ..
        } = &mut *state;
        let asked = |entry: &&mut Entry| entry.link == id && entry.status == Status::Asked;
        if let Some(entry) = subjects.get_mut(text).filter(asked) {
            entry.status = Status::On;
            let subscribers = entry.subscribers.values();
            complete.extend(
                subscribers
                    .filter(|subscriber| subscriber.confirm_one())
                    .cloned(),
            );
            if let Some(link) = links.get_mut(&id).filter(|_| entry.subscribers.is_empty()) {
                link.change(text.into());
            }
        }
        drop(state);
        for subscriber in complete {
            subscriber.on_confirmed();
        }
    }

    /// Records that the server has dropped a subject; returns whether it was asked to.
    pub(in crate::bus) fn left(&self, id: LinkId, text: &str) -> bool {
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

    /// Records that another node serves a subject.
    pub(in crate::bus) fn moved_away(&self, id: LinkId, text: &str) {
        let mut state = self.state.lock();
        let asked = |entry: &&mut Entry| entry.link == id && entry.status == Status::Asked;
        if let Some(entry) = state.subjects.get_mut(text).filter(asked) {
            entry.status = Status::Off;
        }
    }

    /// Records that no node serves a subject for now. Its pending subscriptions fail; confirmed ones keep
    /// waiting.
    pub(in crate::bus) fn unserved(&self, id: LinkId, text: &str, error: &Error) {
        let mut state = self.state.lock();
        let asked = |entry: &&mut Entry| entry.link == id && entry.status == Status::Asked;
        let Some(entry) = state.subjects.get_mut(text).filter(asked) else {
            return;
        };
        entry.status = Status::Off;
        let waiting = entry.subscribers.values();
        let waiting = waiting.filter(|subscriber| !subscriber.is_subscribed());
        let waiting: Vec<_> = waiting.cloned().collect();
        for subscriber in &waiting {
            for text in &subscriber.texts {
                state.take_subscriber(text, subscriber.number);
            }
        }
        drop(state);
        for subscriber in waiting {
            subscriber.refuse(copy_error(error));
        }
    }

    /// Records that the server denies a subject. Its subscriptions fail or end.
    pub(in crate::bus) fn refused(&self, text: &str, error: &Error) {
        let mut state = self.state.lock();
        let Some(entry) = state.subjects.remove(text) else {
            return;
        };
        if let Some(link) = state.links.get_mut(&entry.link) {
            link.forget(text);
        }
        for subscriber in entry.subscribers.values() {
            state.held -= 1;
            for other in subscriber.texts.iter().filter(|other| &***other != text) {
                state.take_subscriber(other, subscriber.number);
            }
        }
        drop(state);
        for subscriber in entry.subscribers.values() {
            subscriber.refuse(copy_error(error));
        }
    }
}
