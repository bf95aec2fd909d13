use std::sync::Arc;

use larder_store::Error;

use super::state::{Entry, State, Status};
use super::{Hub, LinkId};
use crate::bus::ear::Ear;
use crate::bus::subject::Subject;
use crate::route::again;

impl Hub {
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
    pub(in crate::bus) fn misplaced(&self, id: LinkId, text: &str) {
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

    /// Who hears what comes by a subject, and what that is.
    pub(in crate::bus) fn audience(
        &self,
        id: LinkId,
        text: &str,
    ) -> Option<(Arc<Subject>, Vec<Arc<Ear>>)> {
        let state = self.state.lock();
        let entry = state.subjects.get(text).filter(|entry| entry.link == id)?;
        let hear = entry.ears.values().filter(|ear| ear.hears());
        Some((entry.subject.clone(), hear.cloned().collect()))
    }
}
