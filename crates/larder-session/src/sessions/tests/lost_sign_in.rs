//! Sign-ins whose answers are lost, or that are dropped: what their requests can still do.

use std::sync::atomic::Ordering;

use http::StatusCode;
use larder_worlds::until;

use super::dropped::drop_at;
use super::*;
use crate::SessionErrorKind;
use crate::session::{Answer, Outgoing};

const COUNT: SessionKey<i64> = SessionKey::new("count");

/// The session before the sign-in: none, an anonymous one, one of another user, and one of the same user.
pub(super) const BEFORE: [Option<Option<&str>>; 4] =
    [None, Some(None), Some(Some("grace")), Some(Some("ada"))];

/// Begins the session that a request comes with.
pub(super) async fn begin_before(
    sessions: &Sessions,
    before: Option<Option<&str>>,
) -> Option<Token> {
    let user = before?;
    let session = request(sessions, None);
    match user {
        Some(user) => session.log_in(user).await.unwrap(),
        None => session.insert(COUNT, &1).await.unwrap(),
    }
    let Outgoing::Set(token, _) = session.finish(StatusCode::OK).await.cookie else {
        panic!("a session begins");
    };
    Some(token)
}

/// Loses the answer to a sign-in or a new id of a request with this cookie, and fails to look whether it is in force.
pub(super) fn losing(sessions: &Sessions, stage: Stage, token: Option<&Token>) -> Sessions {
    let mut losing = sessions.clone();
    for script in ["session-create", "session-rotate"] {
        Staged::on(&mut losing, script, stage);
    }
    // The first read is that of the request, if it has a cookie.
    let look = usize::from(token.is_some());
    Staged::on(&mut losing, "session-read", Stage::FailAt(look));
    losing
}

async fn lives(sessions: &Sessions, token: &Token) -> bool {
    sessions.open(token).await.unwrap().session().is_some()
}

/// Asserts that `user` has no session, and can sign in where one is allowed.
async fn assert_has_none(sessions: &Sessions, user: &'static str, what: &str) {
    let devices = sessions.devices(user).await.unwrap();
    assert!(devices.is_empty(), "{what}");
    let refusing = sessions.clone().with_device_limit(DeviceLimit::Refuse(1));
    let again = request(&refusing, None).log_in(user).await;
    assert!(again.is_ok(), "{what}: {again:?}");
    sessions.revoke_all(user).await.unwrap();
}

/// Begins the session before, and drops a sign-in on it after the store has carried it out.
pub(super) async fn begin_and_drop_sign_in(
    sessions: &Sessions,
    before: Option<Option<&str>>,
) -> Session {
    let token = begin_before(sessions, before).await;
    let script = match token {
        None => "session-create",
        Some(_) => "session-rotate",
    };
    let mut held = sessions.clone();
    let gate = Staged::on(&mut held, script, Stage::WaitAfterwards);
    let session = request(&held, &token);
    drop_at(&gate, session.log_in("ada")).await;
    session
}

/// Waits until `user` has no session, and can sign in where one is allowed.
pub(super) async fn wait_until_none(sessions: &Sessions, user: &'static str, what: &str) {
    let refusing = sessions.clone().with_device_limit(DeviceLimit::Refuse(1));
    until(&format!("{user} can sign in, {what}"), async || {
        let again = request(&refusing, None).log_in(user).await;
        again.is_ok() && sessions.devices(user).await.unwrap().len() == 1
    })
    .await;
    sessions.revoke_all(user).await.unwrap();
}

pub(super) fn assert_is_unavailable(answer: crate::Result<()>, what: &str) {
    let kind = answer.map_err(|error| error.kind());
    assert_eq!(kind, Err(SessionErrorKind::Unavailable), "{what}");
}

#[tokio::test]
async fn after_a_sign_in_whose_answer_was_lost_the_request_can_sign_out() {
    on_both(async |sessions| {
        for before in BEFORE {
            let token = begin_before(&sessions, before).await;
            let what = format!("{before:?}");
            let mut losing = losing(&sessions, Stage::LoseAnswer, token.as_ref());
            // It cannot be taken back before.
            let tried = Staged::on(&mut losing, "session-take-reason", Stage::FailAt(0));
            let session = request(&losing, &token);
            assert_is_unavailable(session.log_in("ada").await, &what);
            until("it is tried", async || {
                tried.calls.load(Ordering::SeqCst) > 0
            })
            .await;
            session.log_out().await.unwrap();
            let verdict = session.finish(StatusCode::OK).await;
            assert!(verdict.answer == Answer::Unavailable, "{what}");
            assert_eq!(verdict.is_signed_out, token.is_some(), "{what}");
            for user in ["ada", "grace"] {
                assert_has_none(&sessions, user, &what).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_sign_in_that_was_dropped_the_request_can_sign_out() {
    on_both(async |sessions| {
        for before in BEFORE {
            let session = begin_and_drop_sign_in(&sessions, before).await;
            session.log_out().await.unwrap();
            for user in ["ada", "grace"] {
                assert_has_none(&sessions, user, &format!("{before:?}")).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn after_an_anonymous_session_whose_answer_was_lost_the_request_can_sign_out() {
    on_both(async |sessions| {
        let session = request(&losing(&sessions, Stage::LoseAnswer, None), None);
        let lost = session.update(COUNT, |_| 1).await.map(drop);
        assert_is_unavailable(lost, "the update");
        session.log_out().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_may_have_been_carried_out_and_was_not_leaves_the_session_as_it_was() {
    on_both(async |sessions| {
        for before in BEFORE {
            let token = begin_before(&sessions, before).await;
            let what = format!("{before:?}");
            let mut losing = losing(&sessions, Stage::Lose, token.as_ref());
            let tried = Staged::on(&mut losing, "session-take-reason", Stage::Count);
            let session = request(&losing, &token);
            assert_is_unavailable(session.log_in("ada").await, &what);
            until("it is tried", async || {
                tried.calls.load(Ordering::SeqCst) > 0
            })
            .await;
            if let Some(token) = &token {
                assert!(lives(&sessions, token).await, "{what}");
            }
            if before != Some(Some("ada")) {
                wait_until_none(&sessions, "ada", &what).await;
            }
            sessions.revoke_all("ada").await.unwrap();
        }
    })
    .await;
}
