//! Maps subjects to subscribers, and tracks what the server has confirmed.
//!
//! - `links` is the side of the links: connections, changes and the server's answers.
//! - `state` is the data.

mod links;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use larder_store::{Error, ErrorKind, Refusal, Result};
use parking_lot::Mutex;

use super::subject::Subject;
use super::subscriber::{Sink, Subscriber};
use crate::classify::copy_error;
use state::{Entry, State, Status};

pub(super) use links::Change;
pub(super) use state::LinkId;

/// Maps subjects to subscribers, and tracks what the server has confirmed.
///
/// It subscribes to a subject once, however many subscribers it has. The links take the
/// [`changes`](Self::changes), send them, and report the server's answers in their order
/// ([`confirmed`](Self::confirmed), [`left`](Self::left), [`recipients`](Self::recipients)).
pub(super) struct SubscriptionRegistry {
    state: Mutex<State>,
    cap: usize,
    location: Arc<str>,
}

impl SubscriptionRegistry {
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

    /// Adds a subscriber. It is confirmed later, unless its subjects are subscribed to already.
    pub(super) fn add(
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

    /// Removes a subscriber.
    pub(super) fn remove(&self, number: u64, texts: &[Box<str>]) {
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        for text in texts {
            gone.extend(state.take_subscriber(text, number));
        }
        // Dropping its mailbox may wake a task, which must not happen under the lock.
        drop(state);
        drop(gone);
    }

    /// Ends all subscriptions: the store or its runtime is gone.
    pub(super) fn end(&self) {
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
            "the tokio runtime that drives this store for {} has shut down: connect the store in \
             the runtime that uses it",
            self.location
        );
        Error::new("subscribe", ErrorKind::NotSent, text)
    }

    fn full(&self) -> Error {
        let text = format!(
            "the store has reached its limit of {} subscriptions (one per channel): raise it \
             with RedisStore::builder(url).with_max_subscriptions(number)",
            self.cap
        );
        Error::new("subscribe", ErrorKind::Refused(Refusal::Full), text)
    }

    /// Returns the subject called `text`, and the subscribers that receive its messages.
    pub(super) fn recipients(
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
