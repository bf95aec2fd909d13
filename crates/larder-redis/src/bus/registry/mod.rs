//! Who listens to what, and how far the server has confirmed it.
//!
//! - `subscribers`: those who listen come and go.
//! - `connections`: the connections of the links come and go, and subjects move between them.
//! - `changes`: what a link has to send.
//! - `answers`: what the server says.
//! - `state`: what all of it is written down in.

mod answers;
mod changes;
mod connections;
mod state;
mod subscribers;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;

pub(super) use changes::Change;
use state::State;

/// Which connection a subject is listened to on.
pub(super) type LinkId = u64;

/// Who listens to what, and how far the server has confirmed it.
///
/// A subject is asked for once, however many listen to it. The links do what the registry says: they take
/// what changed ([`changes`](Self::changes)), send it, and what the server says comes back here in
/// the order in which it said it ([`confirmed`](Self::confirmed), [`left`](Self::left),
/// [`audience`](Self::audience)).
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
}
