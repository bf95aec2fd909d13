//! Reading a session.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use futures_util::future::BoxFuture;
use larder_store::program::{Call, Calls, Record, Run};
use larder_store::{Key, count_poisoned};

use super::Sessions;
use crate::event::SessionEventKind;
use crate::everyone_record::{EveryoneRecord, ReadEveryone};
use crate::session_record::{
    Held, Left, Metadata, Read, Secret, SessionRecord, Stored, StoredFields, Touch,
};
use crate::token::{Token, UserTag};
use crate::user_record::{ReadRevocationState, RevocationState, UserRecord};
use crate::{EndReason, Result};

/// A session as a request finds it.
pub(crate) struct Opened {
    pub(crate) metadata: Arc<Metadata>,
    /// When the session was used last: now, whether or not that is recorded.
    pub(crate) seen: i64,
    pub(crate) fields: StoredFields,
    pub(crate) by: Secret,
    /// Whether the id is old enough to be replaced.
    pub(crate) is_renewal_due: bool,
}

/// What a token opens.
pub(crate) enum Opening {
    /// A living session that is not revoked.
    Session(Opened),
    /// A session that was ended. The reason is None if it is unknown, or was taken.
    Ended(Option<EndReason>),
    /// Nothing.
    Absent,
}

impl Opening {
    pub(crate) fn session(self) -> Option<Opened> {
        match self {
            Self::Session(opened) => Some(opened),
            Self::Ended(_) | Self::Absent => None,
        }
    }

    /// Returns why the session of a token has ended.
    ///
    /// A token that opens nothing, made up or not, has expired: so the answer reveals nothing about the store.
    pub(crate) fn ended(&self, token: Token) -> Option<(Token, EndReason)> {
        match self {
            Self::Ended(reason) => Some((token, (*reason)?)),
            Self::Absent if token.user.is_some() => Some((token, EndReason::Expired)),
            Self::Session(_) | Self::Absent => None,
        }
    }
}

/// Returns the keys of the session and of the user in a token.
fn keys(token: &Token) -> (Key, Option<Key>) {
    let user = token.user.map(|tag| Key::new(UserRecord::KIND, tag));
    (SessionRecord::key(token.record), user)
}

/// The store's answer about a session.
pub(super) struct StoreAnswer {
    pub(super) held: Option<Held>,
    /// The store's time, in microseconds.
    pub(super) now: i64,
    /// The state of the user whom the token names.
    pub(super) user: Option<RevocationState>,
    /// The generation that signed-in sessions must have reached.
    pub(super) everyone: i64,
}

impl StoreAnswer {
    /// Drops a session whose user is not the one in its cookie: those bytes were damaged.
    fn drop_damaged_user(&mut self, token: &Token) {
        let Some(Held::Live(stored)) = &self.held else {
            return;
        };
        let user = stored.metadata.user.as_ref();
        let is_other = user.is_some_and(|user| token.user != Some(UserTag::of(&user.id)));
        if is_other && stored.opens(&token.hash(), self.now).is_some() {
            count_poisoned(SessionRecord::KIND);
            self.held = None;
        }
    }
}

impl Sessions {
    /// Returns the session that `token` opens, if it is alive and not revoked.
    ///
    /// One round trip: the session and its user's revocation state are read concurrently.
    pub(crate) async fn open(&self, token: &Token) -> Result<Opening> {
        match self.open_now(token) {
            Poll::Ready(opening) => opening,
            Poll::Pending => self.open_later(token).await,
        }
    }

    /// [`open`](Self::open) for a store that answers without waiting.
    ///
    /// It is not a future, so that those of handlers stay below the size that allocators serve fast.
    pub(crate) fn open_now(&self, token: &Token) -> Poll<Result<Opening>> {
        // If the store needs a round trip, no keys are made here in vain.
        if !self.answers_at_once {
            return Poll::Pending;
        }
        let (key, user) = keys(token);
        let found = ready!(self.find_now(&key, user.as_ref()));
        Poll::Ready(self.judge(token, key, self.answered(found)))
    }

    /// [`open`](Self::open) for a store that has to wait. Boxed, to keep the futures of handlers small.
    pub(crate) fn open_later<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Result<Opening>> {
        Box::pin(async move {
            let (key, user) = keys(token);
            let mut found = {
                // Pinned here, because a function that takes a future by value stores it twice.
                let found = pin!(self.find(&key, user.as_ref()));
                self.bounded(found).await
            };
            if let Ok(found) = &mut found {
                found.drop_damaged_user(token);
            }
            self.judge(token, key, found)
        })
    }

    /// Decides what a token opens, by the store's answer.
    fn judge(&self, token: &Token, key: Key, found: Result<StoreAnswer>) -> Result<Opening> {
        let found = found.inspect_err(|_| self.metrics.read_failed.increment(1))?;
        let now = found.now;
        let stored = match found.held {
            Some(Held::Live(stored)) => stored,
            Some(Held::Ended(ended)) if ended.is_of(&token.hash()) => {
                self.note_revoked(token, None, ended.reason);
                return Ok(Opening::Ended(ended.reason));
            }
            Some(Held::Ended(_)) | None => {
                self.metrics.read_absent.increment(1);
                return Ok(Opening::Absent);
            }
        };
        let Some(by) = stored.opens(&token.hash(), now) else {
            self.metrics.read_absent.increment(1);
            return Ok(Opening::Absent);
        };
        if let Some(user) = &stored.metadata.user {
            // Without the record of the user no session is valid: it fails closed.
            let is_in_force = found
                .user
                .is_some_and(|state| state.covers(token.record, user));
            let reason = match found.user {
                _ if user.all < found.everyone => Some(Some(EndReason::Administrator)),
                _ if is_in_force => None,
                state => Some(state.and_then(|state| state.reason)),
            };
            if let Some(reason) = reason {
                self.note_revoked(token, Some(&user.id), reason);
                return Ok(Opening::Ended(reason));
            }
        }
        self.metrics.read_found.increment(1);
        let touch = self.settings.lifetime.touch_interval().as_micros();
        if now - stored.metadata.seen >= stored.metadata.choice.touch(touch) {
            self.slide(key);
        }
        let is_renewal_due = by == Secret::Current && self.is_renewal_due(&stored, now);
        Ok(Opening::Session(Opened {
            metadata: stored.metadata,
            seen: now,
            fields: stored.fields,
            by,
            is_renewal_due,
        }))
    }

    /// Returns whether the id of a session is older than the period of renewals.
    fn is_renewal_due(&self, stored: &Stored, now: i64) -> bool {
        let period = self.settings.renewal;
        period.is_some_and(|period| now - stored.issued() >= period)
    }

    /// Returns the store's time as far as this process knows it, and not less than `seen`.
    pub(crate) fn now_at_least(&self, seen: i64) -> i64 {
        let now = self.time.about(&*self.programs);
        now.map_or(seen, |now| now.max(seen))
    }

    fn note_revoked(&self, token: &Token, user: Option<&Arc<str>>, reason: Option<EndReason>) {
        self.metrics.read_revoked.increment(1);
        let (kind, session) = (SessionEventKind::RevokedCookieUsed, Some(token.record));
        self.settings.events.emit(kind, user, session, reason);
    }

    /// [`find`](Self::find) for a store that answers without waiting.
    pub(super) fn find_now(
        &self,
        key: &Key,
        user: Option<&Key>,
    ) -> Poll<larder_store::Result<StoreAnswer>> {
        let (held, stepped_at) = ready!(self.programs.run_timed_now(key, &Read))?;
        let Some(now) = stepped_at.or_else(|| self.programs.now()) else {
            return Poll::Pending;
        };
        let now = now.as_micros();
        let mut found = StoreAnswer {
            held,
            now,
            user: None,
            everyone: 0,
        };
        if let Some(user) = user {
            found.user = ready!(self.programs.run_now(user, &ReadRevocationState))?;
            found.everyone = match self.everyone.known(now) {
                Some(everyone) => everyone,
                None => {
                    let (key, before) = (EveryoneRecord::key(), self.everyone.highest());
                    let everyone = ready!(self.programs.run_now(&key, &ReadEveryone))?;
                    let everyone = self.everyone.readable(everyone)?;
                    self.everyone.learn(everyone, before, now)
                }
            };
        }
        Poll::Ready(Ok(found))
    }

    /// Reads a session and the state of its user. One round trip.
    pub(super) async fn find(
        &self,
        key: &Key,
        user: Option<&Key>,
    ) -> larder_store::Result<StoreAnswer> {
        let Some(now) = self.time.now(&*self.programs) else {
            return self.find_all(key, user).await;
        };
        let everyone = match user.map(|_| self.everyone.known(now)) {
            None => 0,
            Some(Some(everyone)) => everyone,
            Some(None) => return self.find_all(key, user).await,
        };
        let (mut read, mut state) = (Run::new(&Read), Run::new(&ReadRevocationState));
        let (held, user) = match user {
            None => (self.programs.call(key, &mut read).await, None),
            Some(user) => {
                let calls: Calls<'_> = vec![(key, &mut read), (user, &mut state)];
                let mut done = self.programs.call_many(calls).await.into_iter();
                // A store that returns too few answers has not replied either.
                let mut next = || done.next().unwrap_or(Ok(()));
                let (held, user) = (next(), next());
                (held, state.reply(user)?)
            }
        };
        Ok(StoreAnswer {
            held: read.reply(held)?,
            now,
            user,
            everyone,
        })
    }

    /// [`find`](Self::find) that also asks for the time and for the generation of all users' sessions.
    ///
    /// Boxed, because it is rare and large.
    fn find_all<'a>(
        &'a self,
        key: &'a Key,
        user: Option<&'a Key>,
    ) -> BoxFuture<'a, larder_store::Result<StoreAnswer>> {
        Box::pin(async move {
            let (all, before) = (EveryoneRecord::key(), self.everyone.highest());
            let (mut read, mut left) = (Run::new(&Read), Run::new(&Left));
            let (mut state, mut everyone) =
                (Run::new(&ReadRevocationState), Run::new(&ReadEveryone));
            let calls: [(&Key, &mut dyn Call); 2] = [(key, &mut read), (key, &mut left)];
            let (done, user, everyone) = match user {
                None => (self.programs.run_each(calls).await, None, None),
                Some(user) => {
                    let [one, two] = calls;
                    let calls = [
                        one,
                        two,
                        (&all, &mut everyone as _),
                        (user, &mut state as _),
                    ];
                    let [one, two, three, four] = self.programs.run_each(calls).await;
                    let everyone = self.everyone.readable(everyone.reply(three)?)?;
                    ([one, two], state.reply(four)?, Some(everyone))
                }
            };
            let [first, second] = done;
            let (held, left) = (read.reply(first)?, left.reply(second)?);
            let learn = |now| everyone.map_or(0, |all| self.everyone.learn(all, before, now));
            let Some(held) = held.filter(|_| left >= 0) else {
                // A request with a dead cookie may be the one caller that has to read the record of everyone
                // in this second.
                if let Some(now) = self.time.about(&*self.programs) {
                    learn(now);
                }
                return Ok(StoreAnswer {
                    held: None,
                    now: 0,
                    user: None,
                    everyone: 0,
                });
            };
            // The record names the moment at which the key expires, so the TTL of the key tells the time.
            let now = self.time.learn(held.ends() - left * 1000);
            Ok(StoreAnswer {
                held: Some(held),
                now,
                user,
                everyone: learn(now),
            })
        })
    }

    /// Extends the idle deadline of a session that was used.
    ///
    /// If that takes waiting, a background task does it; the number of tasks is limited. If there are too
    /// many, or the store fails, the next request does it.
    fn slide(&self, key: Key) {
        let touch = Touch {
            idle: self.idle(),
            touch: self.settings.lifetime.touch_interval().as_micros(),
        };
        if self.programs.run_now(&key, &touch).is_ready() {
            return;
        }
        let Ok(place) = self.sliding.clone().try_acquire_owned() else {
            return;
        };
        let sessions = self.clone();
        tokio::spawn(async move {
            // The failure is logged and counted already.
            let _ = sessions.bounded(sessions.programs.run(&key, &touch)).await;
            drop(place);
        });
    }
}
