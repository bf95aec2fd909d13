//! The progress of a job, as its handler reports it: kept until it is sent, at most once a second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How often the progress of one job is sent.
const EACH: Duration = Duration::from_secs(1);

/// The reports of one job.
#[derive(Debug)]
pub(super) struct Reports {
    state: Mutex<State>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// The newest, until it is sent.
    text: Option<String>,
    not_before: Option<Instant>,
}

/// Whether there is a report to send.
pub(super) enum Report {
    None,
    Due(String),
    At(Instant),
}

impl Reports {
    /// Makes reports that notify their sender through `changed`.
    pub(super) fn new(changed: Arc<Notify>) -> Self {
        Self {
            state: Mutex::default(),
            changed,
        }
    }

    pub(super) fn keep(&self, text: String) {
        let is_first = self.lock().text.replace(text).is_none();
        // If there was already a text, the sender knows that it has to send.
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Keeps a text that could not be sent, unless there is a newer one.
    pub(super) fn give_back(&self, text: String) {
        self.lock().text.get_or_insert(text);
    }

    /// Takes the report if it is time to send it.
    pub(super) fn take_at(&self, now: Instant) -> Report {
        let mut state = self.lock();
        match state.not_before {
            Some(at) if at > now && state.text.is_some() => return Report::At(at),
            _ => {}
        }
        match state.text.take() {
            Some(text) => {
                state.not_before = Some(now + EACH);
                Report::Due(text)
            }
            None => Report::None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
