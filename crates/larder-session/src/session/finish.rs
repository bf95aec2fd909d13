//! The end of a request: writes the session, and decides on the response and its cookie.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::StatusCode;

use super::Session;
use super::sent::Sent;
use super::state::{Outgoing, Phase, State};
use crate::token::Token;
use crate::{OnFailure, SessionErrorKind};

/// The effect of a session on its response.
pub(crate) struct Verdict {
    pub(crate) answer: Answer,
    pub(crate) cookie: Outgoing,
    /// Whether the request came with any cookie of that name. False if the cookie is kept.
    pub(crate) has_cookie: bool,
    /// Whether the visitor signed out, and nobody is signed in now.
    pub(crate) is_signed_out: bool,
}

/// Whether the handler's response is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is sent unchanged: it did not depend on the session.
    Unused,
    /// It is sent: it depended on the session, or may still do so.
    Given,
    /// It is replaced by 503: the session could not be read or written.
    Unavailable,
    /// It is replaced by this error: the changes no longer fit, because other requests wrote in the meantime.
    Refused(SessionErrorKind),
}

impl Session {
    /// Returns the verdict. None if there are changes to write, or the session is still in use.
    pub(crate) fn finish_now(&self, status: StatusCode) -> Option<Verdict> {
        self.inner.is_late.store(true, Ordering::SeqCst);
        if !self.inner.is_used.load(Ordering::SeqCst) {
            // A streaming body, for example, may still hold the session and read it.
            let is_reachable = Arc::strong_count(&self.inner) > 1;
            return Some(Verdict {
                answer: match is_reachable {
                    true => Answer::Given,
                    false => Answer::Unused,
                },
                cookie: Outgoing::Keep,
                has_cookie: false,
                is_signed_out: false,
            });
        }
        let mut state = self.inner.state.try_lock()?;
        if has_to_be_written(&state, status) || state.has_to_be_renewed() {
            return None;
        }
        Some(self.close(&mut state))
    }

    /// Writes the changes, and returns the verdict.
    pub(crate) async fn finish(&self, status: StatusCode) -> Verdict {
        let mut state = self.inner.state.lock().await;
        let mut written = Ok(());
        if has_to_be_written(&state, status) {
            written = self.write(&mut state).await;
        }
        self.renew(&mut state).await;
        let mut verdict = self.close(&mut state);
        let Err(error) = written else {
            return verdict;
        };
        match error.kind() {
            // The cookie stays: by now it may belong to a new session.
            _ if state.is_gone => {}
            kind @ (SessionErrorKind::TooLarge | SessionErrorKind::NotAnInteger) => {
                verdict.answer = Answer::Refused(kind);
            }
            _ if self.inner.config.on_failure == OnFailure::Unavailable => {
                verdict.answer = Answer::Unavailable;
            }
            _ => {}
        }
        verdict
    }

    fn close(&self, state: &mut State) -> Verdict {
        if !state.pending.is_empty() {
            self.inner
                .config
                .sessions
                .metrics
                .write_dropped
                .increment(1);
            state.pending.clear();
        }
        // A first read that was cancelled counts as use: the body may repeat it.
        let answer = match (state.phase, self.inner.config.on_failure) {
            (Phase::Failed, OnFailure::Unavailable) => Answer::Unavailable,
            _ => Answer::Given,
        };
        let cookie = std::mem::take(&mut state.outgoing);
        let is_signed_out = state.is_signed_out && state.session_user().is_none();
        // Most responses need neither, and skip the search.
        let has_cookie = (is_signed_out || !matches!(cookie, Outgoing::Keep)) && self.has_cookie();
        Verdict {
            answer,
            cookie: match cookie {
                Outgoing::Remove if !has_cookie => Outgoing::Keep,
                cookie => cookie,
            },
            has_cookie,
            is_signed_out: is_signed_out && has_cookie,
        }
    }

    /// Replaces the id of a session if it is due.
    ///
    /// If it fails, or another request was faster, the visitor keeps the id. If its answer is lost, the visitor
    /// gets the new id if that is in force. If that cannot be seen, a task gives the session its old id back.
    async fn renew(&self, state: &mut State) {
        if !state.has_to_be_renewed() {
            return;
        }
        let Some(current) = &mut state.current else {
            return;
        };
        let from = current.token;
        let to = Token::random(from.record, from.user);
        let sessions = &self.inner.config.sessions;
        let sent = Sent::renewing(sessions, from, to);
        let renewed = sessions.renew(&from, &to).await;
        if let Ok(Some(_)) = sent.answered(renewed) {
            self.note_rotated(current, to);
            state.give();
        }
    }

    fn has_cookie(&self) -> bool {
        let name = self.inner.config.cookie.name();
        self.inner.cookies.has(name)
    }
}

/// Returns whether the changes must be written. A server error drops them.
fn has_to_be_written(state: &State, status: StatusCode) -> bool {
    state.phase == Phase::Read && !state.pending.is_empty() && !status.is_server_error()
}
