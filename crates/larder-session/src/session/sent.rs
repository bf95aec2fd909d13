use std::sync::Arc;

use super::state::State;
use crate::sessions::{Made, Undo};
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
    undo: Option<(&'a Sessions, Undo)>,
}

impl<'a> Sent<'a> {
    pub(super) fn by(state: &'a mut State) -> Self {
        let state = Some(state);
        Self { state, undo: None }
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
            is_new: state.current.is_none(),
        };
        let (state, undo) = (Some(state), Some((sessions, Undo::End(made))));
        Self { state, undo }
    }

    /// A renewal, which the app did not request: the session stays usable.
    pub(super) fn renewing(sessions: &'a Sessions, from: Token, to: Token) -> Self {
        let undo = Some((sessions, Undo::Restore { from, to }));
        Self { state: None, undo }
    }

    pub(super) fn answered<T>(self, answer: Result<T>) -> Result<T> {
        if is_settled(&answer) {
            self.delivered();
        }
        answer
    }

    /// Leaves what was written as it is: the request is still there to give the visitor the secret.
    pub(super) fn delivered(mut self) {
        (self.state, self.undo) = (None, None);
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let mut made = None;
        if let Some((sessions, undo)) = self.undo.take() {
            if let Undo::End(ended) = &undo {
                made = Some(ended.clone());
            }
            sessions.undo(undo);
        }
        if let Some(state) = self.state.take() {
            state.fail(made);
        }
    }
}

/// Returns whether it is known if the step was carried out.
pub(super) fn is_settled<T>(answer: &Result<T>) -> bool {
    !answer.as_ref().is_err_and(SessionError::is_unsettled)
}
