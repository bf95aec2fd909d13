//! Signing out, and the end of the other sessions that a request came with.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{join, join_all};

use super::Session;
use super::sent::Sent;
use super::state::{Outgoing, State};
use crate::sessions::{Made, Rival};
use crate::token::DeviceId;
use crate::{Result, SessionErrorKind};

impl Session {
    /// Signs out at once: the session and its data are gone, for every process.
    ///
    /// No request in flight brings the session back. The visitor's cookie is removed, unless another user, or an
    /// anonymous visitor, has signed in on the session since this request read it. An `insert` later in the same
    /// request begins a new session. If the request came with cookies of other signed-in sessions, those are
    /// ended too. One round trip, and one more to read the session if it was not read yet; a last one, for users'
    /// sessions, only frees space.
    ///
    /// It also works after a write that was dropped or whose answer was lost. The response is then still a 503.
    ///
    /// # Errors
    /// Those of [all methods](Session). The sessions that could be ended have ended, and the visitor keeps the
    /// cookies, to sign out of the others with another attempt.
    pub async fn log_out(&self) -> Result<()> {
        let mut state = match self.act().await {
            // The session has ended; another one that the request named may still live.
            Err(error) if error.kind() == SessionErrorKind::Gone => {
                let mut state = self.load().await?;
                return self.end_rivals(&mut state).await;
            }
            // A write may have been carried out or not: that does not matter to a sign-out.
            Err(error) if error.kind() == SessionErrorKind::Unavailable => {
                let state = self.checked(self.inner.state.lock().await)?;
                let is_known = state.left.is_some() || state.made.is_some();
                if !is_known && state.rivals.is_empty() {
                    return Err(error);
                }
                state
            }
            state => state?,
        };
        let (own, made) = (state.to_sign_out(), state.made.clone());
        let rivals = state.rivals.clone();
        // If this is dropped, the session may have ended, and another attempt can still sign out.
        let sent = Sent::by(&mut state);
        let own_ends = self.end_own(own.as_ref(), made.as_ref());
        // None of them keeps another one alive because it cannot be ended.
        let (ended, answers) = join(own_ends, self.destroy(&rivals)).await;
        let ended = sent.answered(ended);
        let mut gone = Vec::new();
        let others_ended = settle_rivals(&mut state, answers, &mut gone);
        match ended {
            Ok(true) => {
                let own = own.and_then(|(session, user)| Some((session, user?)));
                let made = made.and_then(|made| Some((made.token.record, made.user?)));
                let listed = own.into_iter().chain(made);
                gone.extend(listed.map(|(session, user)| Rival { session, user }));
                state.clear();
                state.outgoing = Outgoing::Keep;
                if others_ended.is_ok() {
                    state.outgoing = Outgoing::Remove;
                    state.is_signed_out = true;
                }
            }
            Ok(false) => state.lose(),
            Err(_) => {}
        }
        // Last, so that the request has signed out even if this is dropped.
        self.withdraw(gone).await;
        ended.and(others_ended)
    }

    /// Ends the session of the request, and what a lost write may have made of it.
    ///
    /// Returns `false` if somebody else has signed in on it since: they did not ask for this.
    async fn end_own(
        &self,
        own: Option<&(DeviceId, Option<Arc<str>>)>,
        made: Option<&Made>,
    ) -> Result<bool> {
        let sessions = &self.inner.config.sessions;
        let discarded = match made {
            Some(made) => sessions.discard(made).await,
            None => Ok(false),
        };
        let Some((session, user)) = own else {
            return discarded.map(|_| true);
        };
        let ended = sessions.end(*session, user.as_ref(), None).await?;
        Ok(ended || discarded?)
    }

    /// Ends the other signed-in sessions whose cookies came with the request.
    ///
    /// Otherwise the visitor could be another user at the next request. No round trip if there are none, otherwise
    /// one; another one only frees space.
    pub(super) async fn end_rivals(&self, state: &mut State) -> Result<()> {
        let answers = self.destroy(&state.rivals).await;
        let mut gone = Vec::new();
        let ended = settle_rivals(state, answers, &mut gone);
        self.withdraw(gone).await;
        ended
    }

    /// Ends the sessions, which stay on the lists of their users. One that cannot be ended does not keep the others
    /// alive.
    async fn destroy(&self, rivals: &[Rival]) -> Vec<Result<bool>> {
        let sessions = &self.inner.config.sessions;
        let ends = rivals
            .iter()
            .map(|rival| sessions.end(rival.session, Some(&rival.user), None));
        join_all(ends).await
    }

    /// Takes sessions off the lists of their users. One round trip.
    async fn withdraw(&self, gone: Vec<Rival>) {
        let sessions = &self.inner.config.sessions;
        let mut lists = BTreeMap::<_, Vec<_>>::new();
        for Rival { session, user } in gone {
            lists.entry(user).or_default().push(session);
        }
        let withdrawn = lists
            .into_iter()
            .map(async |(user, listed)| sessions.withdraw(&user, listed).await);
        join_all(withdrawn).await;
    }
}

/// Adds the sessions that are gone to `gone`, and keeps those that could not be ended for the next attempt.
fn settle_rivals(
    state: &mut State,
    answers: Vec<Result<bool>>,
    gone: &mut Vec<Rival>,
) -> Result<()> {
    let mut ended = Ok(());
    for (rival, answer) in std::mem::take(&mut state.rivals).into_iter().zip(answers) {
        match answer {
            Ok(true) => gone.push(rival),
            Ok(false) => {}
            Err(error) => {
                state.rivals.push(rival);
                ended = Err(error);
            }
        }
    }
    ended
}
