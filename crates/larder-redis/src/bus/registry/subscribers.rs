use std::collections::BTreeMap;
use std::sync::Arc;

use larder_store::{Error, ErrorKind, Refusal, Result};

use super::state::{Entry, State, Status};
use super::{LinkId, SubscriptionRegistry};
use crate::bus::subject::Subject;
use crate::bus::subscriber::{Sink, Subscriber};
use crate::route::copy_error;

impl SubscriptionRegistry {
    /// Begins to listen. The subscriber is confirmed later, unless others listen to the same already.
    pub(in crate::bus) fn add(
        &self,
        subjects: Vec<(Subject, LinkId)>,
        sink: Sink,
    ) -> Result<Arc<Subscriber>> {
        let mut state = self.state.lock();
        if state.has_ended {
            return Err(self.ended());
        }
        if subjects.len() > self.cap - state.held {
            return Err(self.full());
        }
        for (_, link) in &subjects {
            if let Some(down) = state.links.get(link).and_then(|link| link.down.as_ref()) {
                return Err(copy_error(down));
            }
        }
        state.held += subjects.len();
        state.last_number += 1;
        let texts = subjects.iter().map(|(subject, _)| subject.text().into());
        let subscriber = Arc::new(Subscriber::new(state.last_number, texts.collect(), sink));
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
                    subscribers: BTreeMap::new(),
                }
            });
            entry
                .subscribers
                .insert(subscriber.number, subscriber.clone());
            if entry.status != Status::On {
                subscriber.unconfirm_one();
                links.entry(entry.link).or_default().change(text);
            }
        }
        if subscriber.is_active() {
            subscriber.on_confirmed();
        }
        Ok(subscriber)
    }

    /// Ends to listen.
    pub(in crate::bus) fn remove(&self, number: u64, texts: &[Box<str>]) {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        for text in texts {
            gone.extend(state.take_subscriber(text, number));
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
        for subscriber in subjects
            .values()
            .flat_map(|entry| entry.subscribers.values())
        {
            subscriber.refuse(self.ended());
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
