//! Whole accounts: disabling one, and ending the sessions of everyone.

use larder_store::Ttl;

use super::Sessions;
use crate::event::SessionEventKind;
use crate::everyone_record::{EndEveryone, EveryoneRecord};
use crate::user_record::{Enable, ReadRevocationState, SKEW, UserRecord};
use crate::{EndReason, Result, UserId};

/// How long an account stays disabled unless it is enabled, in microseconds: ten years.
const DISABLED: i64 = 10 * 365 * 86_400 * 1_000_000;

/// The least time for which the end of all sessions is kept: longer than browsers keep a cookie.
const KEPT: Ttl = Ttl::from_secs(400 * 86_400);

impl Sessions {
    /// Ends every session of `user`, and refuses sign-ins until the account is [enabled](Self::enable).
    ///
    /// It takes effect at the next request to any process, and in one step: a sign-in at the same time is refused
    /// or ended. [`log_in`](crate::Session::log_in) then fails with
    /// [`SessionErrorKind::Disabled`](crate::SessionErrorKind::Disabled). The store remembers it for ten years,
    /// if it keeps its data: treat the app's own record of its accounts as authoritative. A damaged record is
    /// treated as that of a disabled account. Three round trips; the last two only free space.
    ///
    /// # Errors
    /// Those of [`revoke_all`](Self::revoke_all).
    ///
    /// # Cancellation
    /// The account may or may not be disabled.
    pub async fn disable(&self, user: &str) -> Result<()> {
        let user = UserId::new(user)?;
        let disable = self.revoke_by(user.shared(), None, None, EndReason::Disabled, DISABLED);
        let revoked = disable.await?;
        let events = &self.settings.events;
        events.emit(SessionEventKind::Disabled, Some(user.shared()), None, None);
        if let Some(revoked) = revoked {
            self.sweep(revoked).await;
        }
        Ok(())
    }

    /// Lets the user of a disabled account sign in again. It does nothing if the account is not disabled.
    ///
    /// It also removes a damaged record. Sessions that were ended stay ended. One round trip.
    ///
    /// # Errors
    /// Those of [`revoke_all`](Self::revoke_all).
    ///
    /// # Cancellation
    /// The account may or may not be enabled.
    pub async fn enable(&self, user: &str) -> Result<()> {
        let user = UserId::new(user)?;
        let key = UserRecord::key(user.as_str());
        self.bounded(self.programs.run(&key, &Enable)).await?;
        let events = &self.settings.events;
        events.emit(SessionEventKind::Enabled, Some(user.shared()), None, None);
        Ok(())
    }

    /// Returns whether an account is disabled. One round trip.
    ///
    /// # Errors
    /// [`SessionErrorKind::Unavailable`](crate::SessionErrorKind::Unavailable) if the store fails.
    pub async fn is_disabled(&self, user: &str) -> Result<bool> {
        let key = UserRecord::key(user);
        let state = self.programs.run(&key, &ReadRevocationState);
        let state = self.bounded(state).await?;
        Ok(state.is_some_and(|state| state.is_disabled))
    }

    /// Ends the sessions of all users. Sessions of visitors who are not signed in stay.
    ///
    /// It takes effect at once here, and in other processes within a second, or within five if their store calls
    /// fail: they do not read this from the store on each request. A session of a later sign-in is valid
    /// everywhere at once. One round trip, whatever the number of sessions.
    ///
    /// It also replaces its own record if that was damaged. Until then it is unknown whose sessions have ended:
    /// a process finds the damage within a second, and then requests of users fail as if the store had failed.
    ///
    /// # Errors
    /// [`SessionErrorKind::Unavailable`](crate::SessionErrorKind::Unavailable) if the store fails. The sessions
    /// may have ended nevertheless. Repeating the call is safe.
    ///
    /// # Cancellation
    /// All or none may have ended.
    pub async fn revoke_everyone(&self) -> Result<()> {
        let longest = self.settings.max_lifetime.unwrap_or_default();
        let longest = longest.absolute().max(self.settings.lifetime.absolute());
        let kept = Ttl::covering_micros(longest.as_micros() + SKEW);
        let end = EndEveryone {
            ttl: kept.max(KEPT),
        };
        let key = EveryoneRecord::key();
        let generation = self.bounded(self.programs.run(&key, &end)).await?;
        self.everyone.raise(generation);
        self.watch.publish(None);
        let reason = Some(EndReason::Administrator);
        let events = &self.settings.events;
        events.emit(SessionEventKind::EveryoneRevoked, None, None, reason);
        Ok(())
    }
}
