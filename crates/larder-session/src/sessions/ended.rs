//! Waiting for the end of a session.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larder_store::Key;
use larder_store::program::Record;
use tokio::time::Instant;

use super::Sessions;
use super::open::StoreAnswer;
use super::watch::Subject;
use crate::session_record::{Held, SessionRecord};
use crate::token::{DeviceId, UserTag};
use crate::user_record::UserRecord;
use crate::{EndReason, Result};

/// A session whose end somebody waits for, as it was when the wait began.
pub(crate) struct Watched {
    pub(crate) session: DeviceId,
    pub(crate) user: Option<Arc<str>>,
    /// After how many microseconds it expires if nobody uses it.
    pub(crate) left: i64,
}

/// The result of a check.
enum Look {
    Alive {
        /// When it expires if nobody uses it, by the store's clock.
        until: i64,
        now: i64,
        /// Who has signed in on it since the wait began.
        user: Option<Arc<str>>,
    },
    Ended(EndReason),
    /// There is no such session at this time, or at an unknown one.
    Absent(i64),
}

/// A session as the last successful check found it.
struct LastLook {
    until: i64,
    left: Duration,
    at: Instant,
}

impl LastLook {
    fn has_expired(&self, now: i64) -> bool {
        now >= self.until || self.at.elapsed() >= self.left
    }
}

impl Sessions {
    /// Waits until the session has ended, expired, or belongs to another user.
    ///
    /// It checks the session when a message comes, when the session would expire, and after each interval.
    /// While the store fails it goes on waiting, at most until the session would have expired. If a user signs in
    /// on it, it waits for the end of the user's session.
    pub(crate) async fn ended(&self, mut watched: Watched) -> EndReason {
        let subject = Subject::of(watched.session, watched.user.as_deref());
        let mut registered = self.watch.register(subject);
        // Registered first, so that anything after this read is announced. Until a read succeeds, the
        // session ends when its request expected, by this process's clock.
        let mut seen = Some(LastLook {
            until: i64::MAX,
            left: Duration::from_micros(watched.left.max(1000).unsigned_abs()),
            at: Instant::now(),
        });
        // The sender of a wake-up may know more about everyone's sessions than this process, and may have
        // announced it before this stream was registered.
        let mut is_told = true;
        loop {
            if is_told {
                self.everyone.forget();
            }
            match self.look(&watched).await {
                Ok(Look::Ended(reason)) => return reason,
                Ok(Look::Absent(now)) => {
                    return match seen.is_some_and(|seen| seen.has_expired(now)) {
                        true => EndReason::Expired,
                        false => EndReason::SignedOut,
                    };
                }
                Ok(Look::Alive { until, now, user }) => {
                    let left = (until - now).max(1000).unsigned_abs();
                    seen = Some(LastLook {
                        until,
                        left: Duration::from_micros(left),
                        at: Instant::now(),
                    });
                    if user.is_some() {
                        let subject = Subject::of(watched.session, user.as_deref());
                        registered = self.watch.register(subject);
                        watched.user = user;
                        // The user's session may have ended before this.
                        is_told = true;
                        continue;
                    }
                }
                Err(_) if seen.as_ref().is_some_and(|seen| seen.has_expired(0)) => {
                    return EndReason::Expired;
                }
                Err(_) => {}
            }
            let interval = self.settings.watch_interval;
            // The store ends a session by its own clock, so a read at that moment may be too early.
            let wait = seen.as_ref().map_or(interval, |seen| {
                let left = seen.left.saturating_sub(seen.at.elapsed());
                interval.min(left + Duration::from_millis(2))
            });
            is_told = registered.wait(wait).await;
        }
    }

    async fn look(&self, watched: &Watched) -> Result<Look> {
        let key = SessionRecord::key(watched.session);
        let user = watched.user.as_deref();
        let user_key = user.map(|user| Key::new(UserRecord::KIND, UserTag::of(user)));
        let found = match self.find_now(&key, user_key.as_ref()) {
            Poll::Ready(found) => self.answered(found)?,
            Poll::Pending => {
                let found = pin!(self.find(&key, user_key.as_ref()));
                self.bounded(found).await?
            }
        };
        Ok(judge(watched, &found))
    }
}

fn judge(watched: &Watched, found: &StoreAnswer) -> Look {
    let stored = match &found.held {
        Some(Held::Live(stored)) => stored,
        Some(Held::Ended(ended)) => {
            return Look::Ended(ended.reason.unwrap_or(EndReason::SignedOut));
        }
        None => return Look::Absent(found.now),
    };
    let held = &stored.metadata.user;
    let alive = |user| Look::Alive {
        until: stored.metadata.idle_at,
        now: found.now,
        user,
    };
    let Some(user) = &watched.user else {
        return alive(held.as_ref().map(|held| held.id.clone()));
    };
    match held {
        Some(held) if held.id == *user && held.all < found.everyone => {
            Look::Ended(EndReason::Administrator)
        }
        Some(held) if held.id == *user => match &found.user {
            Some(state) if state.covers(watched.session, held) => alive(None),
            state => {
                let reason = state.as_ref().and_then(|state| state.reason);
                Look::Ended(reason.unwrap_or(EndReason::SignedOut))
            }
        },
        // Another user has signed in on it.
        _ => Look::Ended(EndReason::SignedOut),
    }
}
