use std::collections::HashSet;

use larder_store::Error;

use super::state::{LinkState, State, Status};
use super::{LinkId, SubscriptionRegistry};
use crate::bus::subject::Subject;
use crate::route::copy_error;

impl SubscriptionRegistry {
    /// Whether anything is listened to on a link, or still known to its server.
    pub(in crate::bus) fn is_wanted(&self, id: LinkId) -> bool {
        let state = self.state.lock();
        state.links.get(&id).is_some_and(|link| link.subjects > 0)
    }

    /// Whether a link has a connection.
    pub(in crate::bus) fn is_up(&self, id: LinkId) -> bool {
        let state = self.state.lock();
        state.links.get(&id).is_some_and(|link| link.is_up)
    }

    /// A link has a connection, on which nothing is listened to yet.
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

    /// The connection of a link is gone, and all that was confirmed on it. Nothing of it is told to
    /// the registry any more.
    pub(in crate::bus) fn lost(&self, id: LinkId) {
        let mut state = self.state.lock();
        let link = state.links.entry(id).or_default();
        link.is_up = false;
        link.changed.clear();
        for entry in state.entries_on(id) {
            if entry.status == Status::On {
                entry
                    .subscribers
                    .values()
                    .for_each(|subscriber| subscriber.unconfirm_one());
            }
            entry.status = Status::Off;
        }
        // What nobody wants any more needs no connection to be forgotten.
        state.forget(id);
    }

    /// A link cannot be dialed. Who waits for it is told; who listened goes on waiting.
    pub(in crate::bus) fn down(&self, id: LinkId, error: Error) {
        let mut state = self.state.lock();
        let waiting: Vec<_> = state
            .entries_on(id)
            .flat_map(|entry| entry.subscribers.values())
            .filter(|subscriber| !subscriber.is_subscribed())
            .cloned()
            .collect();
        for subscriber in &waiting {
            for text in &subscriber.texts {
                state.take_subscriber(text, subscriber.number);
            }
        }
        state.forget(id);
        state.links.entry(id).or_default().down = Some(copy_error(&error));
        drop(state);
        for subscriber in waiting {
            subscriber.refuse(copy_error(&error));
        }
    }

    /// Nobody dials for now, since nobody wants to listen.
    pub(in crate::bus) fn clear_failure(&self, id: LinkId) {
        self.state.lock().links.entry(id).or_default().down = None;
    }

    /// Listens to each sharded subject where `link_of` says. Who heard it elsewhere hears of a gap
    /// when it is confirmed there. What stays and is not confirmed is asked for once more.
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
                if entry.status == Status::On {
                    entry
                        .subscribers
                        .values()
                        .for_each(|subscriber| subscriber.unconfirm_one());
                }
                entry.status = Status::Off;
                links.entry(entry.link).or_default().forget(text);
                links.entry(to).or_default().subjects += 1;
                entry.link = to;
            }
            if entry.status == Status::Off {
                links.entry(to).or_default().change(text.clone());
            }
        }
    }

    /// Forgets the links that are not among the `living`, but for those that something is still
    /// listened to on: that has to be placed anew first.
    pub(in crate::bus) fn keep_links(&self, living: impl FnOnce() -> HashSet<LinkId>) {
        let mut state = self.state.lock();
        // Asked under the lock: what a new link knows of itself must not be forgotten.
        let living = living();
        let is_kept = |id: &LinkId, link: &LinkState| link.subjects > 0 || living.contains(id);
        state.links.retain(|id, link| is_kept(id, link));
    }

    /// All who listen on a link may have missed something.
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
}
