//! Reading a session.

use std::sync::Arc;
use std::task::{Poll, ready};

use futures_util::future::BoxFuture;
use larder_store::Key;
use larder_store::program::{Record, Run};

use super::Sessions;
use crate::Result;
use crate::session_record::{Fields, Left, Metadata, Read, Secret, SessionRecord, Stored, Touch};
use crate::token::Token;
use crate::user_record::{ReadRevocationState, RevocationState, UserRecord};

/// A session as a request finds it.
pub(crate) struct Opened {
    pub(crate) metadata: Metadata,
    pub(crate) fields: Arc<Fields>,
    pub(crate) by: Secret,
    /// Whether the id is old enough to be replaced.
    pub(crate) is_renewal_due: bool,
}

/// The store's answer: the stored session, the store's time, and the user's revocation state.
type Answer = (Option<Stored>, i64, Option<RevocationState>);

impl Sessions {
    /// Returns the session that `token` opens, if it is alive and not revoked.
    ///
    /// One round trip: the session and its user's revocation state are read side by side.
    pub(crate) async fn open(&self, token: &Token) -> Result<Option<Opened>> {
        let key = SessionRecord::key(token.record);
        let user = token.user.map(|tag| Key::new(UserRecord::KIND, tag));
        let found = match self.find_now(&key, user.as_ref()) {
            Poll::Ready(found) => self.answered(found),
            // Boxed, to keep the futures of handlers small.
            Poll::Pending => Box::pin(self.bounded(self.find(&key, user.as_ref()))).await,
        };
        let (stored, now, revocation) =
            found.inspect_err(|_| self.metrics.read_failed.increment(1))?;
        let opened = stored.and_then(|stored| {
            let by = stored.opens(&token.hash(), now)?;
            Some((stored, by))
        });
        let Some((mut stored, by)) = opened else {
            self.metrics.read_absent.increment(1);
            return Ok(None);
        };
        let is_in_force = match &stored.metadata.user {
            None => true,
            // Without a record of the user no session is in force: it fails closed.
            Some(user) => revocation.is_some_and(|now| now.covers(token.record, user)),
        };
        if !is_in_force {
            self.metrics.read_revoked.increment(1);
            return Ok(None);
        }
        self.metrics.read_found.increment(1);
        let touch = self.settings.lifetime.touch().as_micros();
        if now - stored.metadata.seen >= stored.metadata.choice.touch(touch) {
            self.slide(key);
        }
        let is_renewal_due = by == Secret::Current && self.is_renewal_due(&stored, now);
        // It was used now, whether or not that is recorded.
        stored.metadata.seen = now;
        Ok(Some(Opened {
            metadata: stored.metadata,
            fields: stored.fields,
            by,
            is_renewal_due,
        }))
    }

    /// Returns whether the id of a session is older than the period of renewals.
    fn is_renewal_due(&self, stored: &Stored, now: i64) -> bool {
        let period = self.settings.renewal;
        period.is_some_and(|period| now - stored.issued(self.renewal_grace()) >= period)
    }

    /// [`find`](Self::find) for a store that answers without waiting.
    fn find_now(&self, key: &Key, user: Option<&Key>) -> Poll<larder_store::Result<Answer>> {
        let Some(now) = self.programs.now() else {
            return Poll::Pending;
        };
        let stored = ready!(self.programs.run_now(key, &Read))?;
        let revocation = match user {
            None => None,
            Some(user) => ready!(self.programs.run_now(user, &ReadRevocationState))?,
        };
        Poll::Ready(Ok((stored, now.as_micros(), revocation)))
    }

    async fn find(&self, key: &Key, user: Option<&Key>) -> larder_store::Result<Answer> {
        let Some(now) = self.time.now(&*self.programs) else {
            return self.find_and_time(key, user).await;
        };
        let Some(user) = user else {
            return Ok((self.programs.run(key, &Read).await?, now, None));
        };
        let (mut read, mut revocation) = (Run::new(&Read), Run::new(&ReadRevocationState));
        let calls = [(key, &mut read as _), (user, &mut revocation as _)];
        let [first, second] = self.programs.run_each(calls).await;
        Ok((read.reply(first)?, now, revocation.reply(second)?))
    }

    /// [`find`](Self::find) that also asks for the time. Boxed, because it is rare and large.
    fn find_and_time<'a>(
        &'a self,
        key: &'a Key,
        user: Option<&'a Key>,
    ) -> BoxFuture<'a, larder_store::Result<Answer>> {
        Box::pin(async move {
            let (mut read, mut left) = (Run::new(&Read), Run::new(&Left));
            let mut revocation = Run::new(&ReadRevocationState);
            let (first, second, revocation) = match user {
                None => {
                    let calls = [(key, &mut read as _), (key, &mut left as _)];
                    let [first, second] = self.programs.run_each(calls).await;
                    (first, second, None)
                }
                Some(user) => {
                    let calls = [
                        (key, &mut read as _),
                        (key, &mut left as _),
                        (user, &mut revocation as _),
                    ];
                    let [first, second, third] = self.programs.run_each(calls).await;
                    (first, second, revocation.reply(third)?)
                }
            };
            let (stored, left) = (read.reply(first)?, left.reply(second)?);
            let Some(stored) = stored.filter(|_| left >= 0) else {
                return Ok((None, 0, None));
            };
            // The key expires at the idle deadline, so its TTL gives the time.
            let now = stored.metadata.idle_at - left * 1000;
            self.time.learn(now);
            Ok((Some(stored), now, revocation))
        })
    }

    /// Extends the idle deadline of a session that was used.
    ///
    /// A background task does it if that takes waiting; the number of tasks is bounded. If there are too
    /// many, or the store fails, the next request does it.
    fn slide(&self, key: Key) {
        let touch = Touch {
            idle: self.idle(),
            touch: self.settings.lifetime.touch().as_micros(),
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
