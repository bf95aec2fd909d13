use std::collections::BTreeMap;
use std::sync::Arc;

use larder_store::{Error, ErrorKind, Refusal, Result};

use super::state::{Entry, State, Status};
use super::{Hub, LinkId};
use crate::bus::ear::{Ear, Sink};
use crate::bus::subject::Subject;
use crate::route::again;

impl Hub {
    /// Begins to listen. The ear is confirmed later, unless others listen to the same already.
    pub(in crate::bus) fn add(
        &self,
        subjects: Vec<(Subject, LinkId)>,
        sink: Sink,
    ) -> Result<Arc<Ear>> {
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
    pub(in crate::bus) fn remove(&self, number: u64, texts: &[Box<str>]) {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        for text in texts {
            gone.extend(state.take_ear(text, number));
        }
        // Its mailbox may wake somebody: not under the lock.
        drop(state);
        drop(gone);
    }

    /// Nobody listens any more: the store, or its runtime, is gone.
    pub(in crate::bus) fn end(&self) {
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
