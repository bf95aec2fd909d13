use std::sync::Arc;

use super::state::State;
use crate::sessions::Made;
use crate::token::Token;
use crate::{Result, SessionError, Sessions};

/// A write that was sent. It ends the use of the session in this request unless it is known whether the write was
/// carried out: if the answer is lost, and if the caller drops the write.
///
/// A second attempt would add a sum twice, or not find its own session. So nothing of the session is left to
/// send, also for requests that [`OnFailure::Anonymous`](crate::OnFailure::Anonymous) lets go on. Nobody is given the
/// secret that it may have made, so a task undoes it.
pub(super) struct Sent<'a> {
    state: Option<&'a mut State>,
    made: Option<(&'a Sessions, Made)>,
}

impl<'a> Sent<'a> {
    pub(super) fn by(state: &'a mut State) -> Self {
        let state = Some(state);
        Self { state, made: None }
    }

    /// A write that gives the session this secret and this user, or creates it with them.
    pub(super) fn making(
        sessions: &'a Sessions,
        state: &'a mut State,
        token: Token,
        user: Option<Arc<str>>,
    ) -> Self {
        let before = state.session_user().map(|user| user.id.clone());
        let made = Made {
            token,
            user,
            before,
        };
        let (state, made) = (Some(state), Some((sessions, made)));
        Self { state, made }
    }

    pub(super) fn answered<T>(mut self, answer: Result<T>) -> Result<T> {
        if is_settled(&answer) {
            (self.state, self.made) = (None, None);
        }
        answer
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let made = self.made.take().map(|(sessions, made)| {
            sessions.undo(made.clone());
            made
        });
        if let Some(state) = self.state.take() {
            state.fail(made);
        }
    }
}

/// Returns whether it is known if the step was carried out.
pub(super) fn is_settled<T>(answer: &Result<T>) -> bool {
    !answer.as_ref().is_err_and(SessionError::is_unsettled)
}
