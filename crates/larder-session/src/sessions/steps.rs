//! The store calls for one session, each within the timeout.

use std::sync::Arc;

use super::watch::Subject;
use super::{Opened, Sessions};
use crate::event::SessionEventKind;
use crate::session_record::{
    Applied, Apply, Change, Choice, Create, Destroy, Destroyed, Fields, Rotate, Secret,
    SessionRecord, SessionUser, SignIn, StoredFields, TakeReason, Whose,
};
use crate::token::{DeviceId, Token, random};
use crate::{EndReason, Result, SessionError, SessionErrorKind, SignInOptions};

/// How long the old id works after a renewal, which the app did not request: a minute, in microseconds.
const RENEWAL_GRACE: i64 = 60_000_000;

impl Sessions {
    /// Waits for the store, at most for the timeout.
    ///
    /// # Errors
    /// [`SessionErrorKind::Unavailable`](crate::SessionErrorKind::Unavailable) if it fails or the time is up.
    pub(super) async fn bounded<T>(
        &self,
        answer: impl Future<Output = larder_store::Result<T>>,
    ) -> Result<T> {
        self.answered(self.settings.timeout.run("run", answer).await)
    }

    /// Returns the store's answer, as an error of the session if it failed.
    ///
    /// # Errors
    /// [`SessionErrorKind::Unavailable`](crate::SessionErrorKind::Unavailable) if it did not.
    pub(super) fn answered<T>(&self, answer: larder_store::Result<T>) -> Result<T> {
        match &answer {
            Ok(_) => self.health.succeeded(),
            Err(error) => self.health.failed(error),
        }
        answer.map_err(crate::SessionError::unavailable)
    }

    /// Creates a session. One round trip, and another one if the answer to a sign-in is lost.
    ///
    /// # Errors
    /// [`SessionErrorKind::Overloaded`] beyond the limit of new anonymous sessions.
    pub(crate) async fn create(&self, token: &Token, create: Create) -> Result<Opened> {
        let limit = self.settings.new_limit.as_ref();
        if create.user.is_none() && limit.is_some_and(|limit| !limit.allows()) {
            self.metrics.write_refused.increment(1);
            return Err(SessionError::new(
                SessionErrorKind::Overloaded,
                "too many visitors are creating sessions at this moment: try again later",
            ));
        }
        let key = SessionRecord::key(token.record);
        let mut made = self.bounded(self.programs.run(&key, &create)).await;
        let is_lost = made.as_ref().is_err_and(SessionError::is_unsettled);
        if is_lost && create.user.is_some() && self.generation_of(token).await.is_some() {
            made = Ok(true);
        }
        if !made? {
            // Two draws of 128 random bits were equal: the generator is broken. A request never creates a
            // second session with its reserved id, see `Sent`.
            return Err(crate::SessionError::gone());
        }
        self.metrics.created.increment(1);
        // The store sets the times. The request needs only the one that tells how old its sign-in is.
        let now = create.user.as_ref().map_or(0, |user| user.since);
        let metadata = Arc::new(create.metadata(now));
        Ok(Opened {
            metadata,
            seen: now,
            fields: StoredFields::of(&create.fields),
            by: Secret::Current,
            is_renewal_due: false,
        })
    }

    pub(crate) fn new_session(
        &self,
        token: &Token,
        user: Option<SessionUser>,
        options: &SignInOptions,
        fields: Fields,
    ) -> Create {
        Create {
            hash: token.hash(),
            idle: self.idle(),
            absolute: self.absolute(options),
            user,
            choice: Choice::of(options),
            fields,
        }
    }

    /// Changes fields. One round trip.
    pub(crate) async fn apply(
        &self,
        session: DeviceId,
        generation: i64,
        changes: Vec<(Box<str>, Change)>,
    ) -> Result<Applied> {
        let apply = Apply {
            generation,
            idle: self.idle(),
            max_weight: self.settings.max_weight,
            changes,
        };
        let key = SessionRecord::key(session);
        let applied = self.bounded(self.programs.run(&key, &apply)).await;
        let counter = match &applied {
            Ok(Applied::Done) => &self.metrics.write_done,
            Ok(Applied::Gone) => &self.metrics.write_gone,
            Ok(Applied::Conflict(_)) => &self.metrics.write_conflict,
            Ok(Applied::NotAnInteger | Applied::TooLarge) => &self.metrics.write_refused,
            Err(_) => &self.metrics.write_failed,
        };
        counter.increment(1);
        applied
    }

    /// Gives a session a new secret. One round trip, and another one if the answer is lost.
    pub(crate) async fn rotate(
        &self,
        from: &Token,
        to: &Token,
        sign_in: Option<SignIn>,
    ) -> Result<Option<i64>> {
        let grace = if sign_in.is_some() {
            0
        } else {
            self.settings.grace
        };
        self.replace(from, to, grace, sign_in).await
    }

    /// Replaces an id that is older than the period of renewals, as [`rotate`](Self::rotate) does.
    pub(crate) async fn renew(&self, from: &Token, to: &Token) -> Result<Option<i64>> {
        self.replace(from, to, self.renewal_grace(), None).await
    }

    /// Gives a session whose id was renewed its old id back, if nothing has replaced the new one since.
    pub(crate) async fn restore(&self, from: &Token, to: &Token) -> Result<Option<i64>> {
        self.replace(to, from, 0, None).await
    }

    async fn replace(
        &self,
        from: &Token,
        to: &Token,
        grace: i64,
        sign_in: Option<SignIn>,
    ) -> Result<Option<i64>> {
        let rotate = Rotate {
            from: from.hash(),
            to: to.hash(),
            idle: self.idle(),
            grace,
            sign_in,
        };
        let key = SessionRecord::key(from.record);
        let rotated = self.bounded(self.programs.run(&key, &rotate)).await;
        match &rotated {
            Err(error) if error.is_unsettled() => match self.generation_of(to).await {
                Some(generation) => Ok(Some(generation)),
                None => rotated,
            },
            _ => rotated,
        }
    }

    /// Returns the generation of the session that a new secret opens, to learn whether it is in force.
    ///
    /// Otherwise the visitor would keep an id that works no more, or not for long. One round trip.
    async fn generation_of(&self, to: &Token) -> Option<i64> {
        let opened = self.open(to).await.ok()?.session()?;
        let is_current = opened.by == Secret::Current;
        is_current.then_some(opened.metadata.generation)
    }

    /// Makes the streams of `subject` check whether their sessions still belong to it.
    pub(crate) fn tell(&self, subject: Subject) {
        self.watch.publish(Some(subject));
    }

    /// Returns how long the old id works after a renewal, in microseconds.
    pub(super) fn renewal_grace(&self) -> i64 {
        self.settings.grace.max(RENEWAL_GRACE)
    }

    /// Ends one session of a user as [`end`](Self::end) does, and takes it off the user's list then.
    ///
    /// Two round trips; the last one only frees space. If the first one fails, the session stays on the list.
    pub(crate) async fn end_listed(
        &self,
        session: DeviceId,
        of: &Arc<str>,
        reason: Option<EndReason>,
    ) -> Result<bool> {
        let gone = self.end(session, Some(of), reason).await?;
        if gone {
            self.withdraw(of, vec![session]).await;
        }
        Ok(gone)
    }

    /// Ends one session, and returns whether it is gone now.
    ///
    /// The session must belong to the user `of`, or to nobody. If there is a reason, its browser is given it. One
    /// round trip, and another one if the answer is lost.
    pub(crate) async fn end(
        &self,
        session: DeviceId,
        of: Option<&Arc<str>>,
        reason: Option<EndReason>,
    ) -> Result<bool> {
        let key = SessionRecord::key(session);
        let whose = of.cloned().map_or(Whose::Nobody, Whose::Of);
        let destroy = self.destroy(whose, reason);
        let mut destroyed = self.bounded(self.programs.run(&key, &destroy)).await;
        if destroyed.as_ref().is_err_and(SessionError::is_unsettled) {
            // If that ended the session, this answers so. Without an answer, it may have ended it.
            if let Ok(again) = self.bounded(self.programs.run(&key, &destroy)).await {
                destroyed = Ok(again);
            }
        }
        let destroyed = destroyed?;
        if !destroyed.is_gone() {
            return Ok(false);
        }
        self.watch
            .publish(Some(Subject::of(session, of.map(|user| &**user))));
        if let Some(user) = of {
            // A sign-out leaves nothing behind, so one whose answer was lost may have ended the session.
            // No request signs out of a session that it has not read.
            if destroyed == Destroyed::Ended || reason.is_none() {
                self.metrics.ended.increment(1);
                let kind = match reason {
                    None => SessionEventKind::SignedOut,
                    Some(_) => SessionEventKind::Ended,
                };
                let events = &self.settings.events;
                events.emit(kind, Some(user), Some(session), reason);
            }
        }
        Ok(true)
    }

    pub(super) fn destroy(&self, whose: Whose, reason: Option<EndReason>) -> Destroy {
        Destroy {
            whose,
            reason,
            keep: self.settings.end_reason_ttl,
            call: random(),
        }
    }

    /// Takes the reason for which the session of `token` ended, once. One round trip.
    pub(crate) async fn take_end_reason(&self, token: &Token) -> Result<bool> {
        let take = TakeReason {
            hash: token.hash(),
            keep: self.settings.end_reason_ttl,
        };
        let key = SessionRecord::key(token.record);
        self.bounded(self.programs.run(&key, &take)).await
    }

    pub(super) fn idle(&self) -> i64 {
        self.settings.lifetime.idle().as_micros()
    }

    /// Returns how long a session may live, in microseconds.
    pub(crate) fn absolute(&self, options: &SignInOptions) -> i64 {
        let life = options.lifetime.unwrap_or(self.settings.lifetime);
        life.absolute().as_micros()
    }
}
