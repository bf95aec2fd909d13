use super::state::{Made, State};
use crate::{Result, SessionError};

/// A write that was sent. It ends the use of the session in this request unless it is known whether the write was
/// carried out: if the answer is lost, and if the caller drops the write.
///
/// A second attempt would add a sum twice, or not find its own session. So nothing of the session is left to
/// send, also for requests that [`OnFailure::Anonymous`](crate::OnFailure::Anonymous) lets go on.
pub(super) struct Sent<'a> {
    state: Option<&'a mut State>,
    made: Option<Made>,
}

impl<'a> Sent<'a> {
    pub(super) fn by(state: &'a mut State) -> Self {
        let state = Some(state);
        Self { state, made: None }
    }

    /// A write that gives the session a secret, or creates it with one.
    pub(super) fn making(state: &'a mut State, made: Made) -> Self {
        let (state, made) = (Some(state), Some(made));
        Self { state, made }
    }

    pub(super) fn answered<T>(mut self, answer: Result<T>) -> Result<T> {
        if is_settled(&answer) {
            self.state = None;
        }
        answer
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            state.fail(self.made.take());
        }
    }
}

/// Returns whether it is known if the step was carried out.
pub(super) fn is_settled<T>(answer: &Result<T>) -> bool {
    !answer.as_ref().is_err_and(SessionError::is_unsettled)
}
