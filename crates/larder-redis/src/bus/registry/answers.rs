use std::sync::Arc;

use larder_store::Error;

use super::state::{Entry, State, Status};
use super::{LinkId, SubscriptionRegistry};
use crate::bus::subject::Subject;
use crate::bus::subscriber::Subscriber;
use crate::route::copy_error;

impl SubscriptionRegistry {
    /// The server has confirmed a subject.
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

    /// The server has forgotten a subject; tells whether it was asked to.
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

    /// The server says that a subject is listened to elsewhere.
    pub(in crate::bus) fn moved_away(&self, id: LinkId, text: &str) {
        let mut state = self.state.lock();
        let asked = |entry: &&mut Entry| entry.link == id && entry.status == Status::Asked;
        if let Some(entry) = state.subjects.get_mut(text).filter(asked) {
            entry.status = Status::Off;
        }
    }

    /// The server will not let anybody listen to this. All who do are told, or end.
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

    /// Who hears what comes by a subject, and what that is.
    pub(in crate::bus) fn recipients(
        &self,
        id: LinkId,
        text: &str,
    ) -> Option<(Arc<Subject>, Vec<Arc<Subscriber>>)> {
        let state = self.state.lock();
        let entry = state.subjects.get(text).filter(|entry| entry.link == id)?;
        let active = entry
            .subscribers
            .values()
            .filter(|subscriber| subscriber.is_active());
        Some((entry.subject.clone(), active.cloned().collect()))
    }
}
