use std::sync::Arc;

use tokio::sync::Notify;

use super::state::{State, Status};
use super::{LinkId, SubscriptionRegistry};
use crate::bus::subject::Subject;

/// What a link has to send.
pub(in crate::bus) enum Change {
    Subscribe(Arc<Subject>),
    Unsubscribe(Arc<Subject>),
}

impl SubscriptionRegistry {
    /// What tells a link that something changed.
    pub(in crate::bus) fn notifier(&self, id: LinkId) -> Arc<Notify> {
        self.state
            .lock()
            .links
            .entry(id)
            .or_default()
            .notifier
            .clone()
    }

    /// What a link has to send now.
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
                // It is looked at again when the server has answered.
                (Status::On, false) | (Status::Asked | Status::Leaving, _) => {}
            }
        }
        changes
    }
}
