//! Undoes what a write may have done whose answer nobody got: no visitor has the secret that it made.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::Sessions;
use super::watch::Subject;
use crate::Result;
use crate::event::SessionEventKind;
use crate::token::Token;

/// The pauses between the attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long it is tried.
const LASTS: Duration = Duration::from_secs(30);
/// A task whose first attempt has failed needs a permit to try again.
static RETRIES: Semaphore = Semaphore::const_new(256);

/// A write whose answer was lost or dropped, and how it is undone.
pub(crate) enum Undo {
    /// Ends the session.
    End(Made),
    /// Gives the session, which now has the id `to`, its id `from` back.
    Restore { from: Token, to: Token },
}

/// A session as a write may have made it, by creating it, by a sign-in or by a new id.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) token: Token,
    pub(crate) user: Option<Arc<str>>,
    /// The user of the session before.
    pub(crate) before: Option<Arc<str>>,
    /// Whether the write would have created the session.
    pub(crate) is_new: bool,
}

impl Sessions {
    /// Undoes a write in a task. If the store fails, it is tried for half a minute.
    ///
    /// Outside a tokio runtime it does nothing. An anonymous session is not ended: it counts at no limit, and expires.
    pub(crate) fn undo(&self, undo: Undo) {
        if matches!(&undo, Undo::End(made) if made.user.is_none()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let sessions = self.clone();
        runtime.spawn(async move { sessions.undo_until_done(&undo).await });
    }

    async fn undo_until_done(&self, undo: &Undo) {
        let began = Instant::now();
        if self.undo_once(undo, true).await {
            return;
        }
        let Ok(_permit) = RETRIES.try_acquire() else {
            return;
        };
        let mut pause = FIRST_PAUSE;
        while began.elapsed() < LASTS {
            sleep(pause).await;
            if self.undo_once(undo, false).await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns whether it is undone, or nothing was done.
    async fn undo_once(&self, undo: &Undo, is_first: bool) -> bool {
        match undo {
            Undo::End(made) => self.take_back(made, is_first).await,
            Undo::Restore { from, to } => self.restore(from, to).await.is_ok(),
        }
    }

    /// Ends what a sign-in or a new id has made of a session, and takes it off the user's list.
    async fn take_back(&self, made: &Made, is_first: bool) -> bool {
        let session = made.token.record;
        let Ok(has_ended) = self.discard(made).await else {
            return false;
        };
        if has_ended {
            self.metrics.ended.increment(1);
        }
        // If an older session stayed as it was, its visitor may be signing in again some time later.
        let is_unused = is_first || has_ended || made.is_new;
        if let Some(user) = made.user.as_ref().filter(|_| is_unused) {
            self.unlist(session, user).await;
        }
        if let Some(before) = made.before.as_ref().filter(|_| has_ended) {
            let events = &self.settings.events;
            events.emit(SessionEventKind::Ended, Some(before), Some(session), None);
        }
        true
    }

    /// Ends the session that a secret opens which nobody was given, and returns whether there was one. One round trip.
    pub(crate) async fn discard(&self, made: &Made) -> Result<bool> {
        // It leaves nothing that the secret opens.
        let has_ended = self.take_end_reason(&made.token).await?;
        // An earlier attempt may have ended it, whose answer was lost.
        self.tell(Subject::of(made.token.record, made.before.as_deref()));
        if let Some(user) = &made.user {
            self.tell(Subject::user(user));
        }
        Ok(has_ended)
    }
}
