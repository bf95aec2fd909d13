//! Writes whose answers are lost, and writes that were not sent.

use std::sync::atomic::Ordering;

use http::StatusCode;

use super::*;
use crate::session::{Answer, Outgoing};
use crate::{FlashLevel, OnFailure, Result, SessionErrorKind, SessionKey};

const COUNT: SessionKey<i64> = SessionKey::new("count");

fn is_unavailable<T>(answer: Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == SessionErrorKind::Unavailable)
}

/// Nobody knows whether it was done: to do it again would do it twice, or fail for another reason.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_tried_again_in_its_request() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        for script in ["session-apply", "session-create"] {
            let mut losing = sessions.clone();
            let staged = Staged::on(&mut losing, script, Stage::LoseAnswer);
            let known = (script == "session-apply").then_some(&token);
            for way in 0..2 {
                let session = request(&losing, known);
                session.increment(COUNT, 1).await.unwrap();
                let lost = match way {
                    0 => session.save().await,
                    _ => session.update(COUNT, |_| 7).await.map(drop),
                };
                assert!(is_unavailable(lost), "{script} {way}");
                assert!(
                    is_unavailable(session.log_in("ada").await),
                    "{script} {way}"
                );
                let verdict = session.finish(StatusCode::OK).await;
                assert!(verdict.answer == Answer::Unavailable, "{script} {way}");
            }
            assert_eq!(staged.calls.load(Ordering::SeqCst), 2);
        }
        // The increment was done once, and the update after it.
        let count = request(&sessions, Some(&token)).get(COUNT).await.unwrap();
        assert_eq!(count, Some(7));
    })
    .await;
}

#[tokio::test]
async fn a_write_that_was_certainly_not_sent_leaves_its_request_the_session() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        for script in ["session-apply", "session-create"] {
            let mut failing = sessions.clone();
            let staged = Staged::on(&mut failing, script, Stage::Fail);
            let session = request(&failing, (script == "session-apply").then_some(&token));
            session.increment(COUNT, 1).await.unwrap();
            assert!(is_unavailable(session.save().await), "{script}");
            assert_eq!(session.get(COUNT).await.unwrap(), Some(1), "{script}");
            // The end of the request tries again.
            let verdict = session.finish(StatusCode::OK).await;
            assert!(verdict.answer == Answer::Unavailable, "{script}");
            let calls = staged.calls.load(Ordering::SeqCst);
            assert_eq!(calls, 2, "{script}");
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_lost_answer_an_anonymous_request_finds_nothing_and_sends_nothing() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let seeded = request(&sessions, Some(&token));
        seeded.flash(FlashLevel::Info, "saved").await.unwrap();
        let mut losing = sessions.clone();
        let staged = Staged::on(&mut losing, "session-apply", Stage::LoseAnswer);
        let session = request_on_failure(&losing, Some(&token), OnFailure::Anonymous);
        session.increment(COUNT, 1).await.unwrap();
        assert!(is_unavailable(session.save().await));
        assert_eq!(session.take_flashes().await.unwrap(), []);
        assert_eq!(session.get(COUNT).await.unwrap(), None);
        assert_eq!(session.user().await.unwrap(), None);
        assert!(is_unavailable(session.require_user().await));
        let verdict = session.finish(StatusCode::OK).await;
        assert!(verdict.answer == Answer::Given);
        assert_eq!(staged.calls.load(Ordering::SeqCst), 1);
        let after = request(&sessions, Some(&token));
        assert_eq!(after.get(COUNT).await.unwrap(), Some(1));
        assert_eq!(after.take_flashes().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn after_a_lost_answer_no_reason_is_taken() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        sessions.revoke("ada", token.record).await.unwrap();
        let mut losing = sessions.clone();
        Staged::on(&mut losing, "session-create", Stage::LoseAnswer);
        let taken = Staged::on(&mut losing, "session-take-reason", Stage::Count);
        let session = request_on_failure(&losing, Some(&token), OnFailure::Anonymous);
        assert!(is_unavailable(session.update(COUNT, |_| 1).await));
        assert_eq!(session.get(COUNT).await.unwrap(), None);
        assert_eq!(session.take_end_reason().await.unwrap(), None);
        assert_eq!(taken.calls.load(Ordering::SeqCst), 0);
    })
    .await;
}

#[tokio::test]
async fn a_new_id_whose_answer_was_lost_is_looked_for_and_given_to_the_visitor() {
    on_both(async |sessions| {
        let mut losing = sessions.clone();
        let staged = Staged::on(&mut losing, "session-rotate", Stage::LoseAnswer);
        for is_sign_in in [false, true] {
            let token = begin(&sessions).await;
            let session = request(&losing, Some(&token));
            match is_sign_in {
                true => session.log_in("ada").await.unwrap(),
                false => session.rotate().await.unwrap(),
            }
            assert_eq!(session.user().await.unwrap().unwrap().as_str(), "ada");
            let Outgoing::Set(given, _) = session.finish(StatusCode::OK).await.cookie else {
                panic!("no cookie, {is_sign_in}");
            };
            assert!(sessions.open(&given).await.unwrap().session().is_some());
            assert!(sessions.open(&token).await.unwrap().session().is_none());
        }
        assert_eq!(staged.calls.load(Ordering::SeqCst), 2);
    })
    .await;
}

#[tokio::test]
async fn a_first_sign_in_whose_answer_was_lost_is_looked_for_and_given_to_the_visitor() {
    on_both(async |sessions| {
        let mut losing = sessions.clone();
        Staged::on(&mut losing, "session-create", Stage::LoseAnswer);
        let session = request(&losing, None);
        session.log_in("ada").await.unwrap();
        assert_eq!(session.user().await.unwrap().unwrap().as_str(), "ada");
        let Outgoing::Set(given, _) = session.finish(StatusCode::OK).await.cookie else {
            panic!("no cookie");
        };
        assert!(sessions.open(&given).await.unwrap().session().is_some());
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_session_is_reported_once_also_if_its_answer_was_lost() {
    on_both(async |sessions| {
        for stage in [Stage::LoseAnswerAt(0), Stage::Repeat] {
            let (sessions, log) = logged(sessions.clone());
            let token = begin(&sessions).await;
            let mut losing = sessions.clone();
            Staged::on(&mut losing, "session-destroy", stage);
            for user in ["ada", "ada", "grace"] {
                assert!(losing.revoke(user, token.record).await.unwrap());
            }
            assert_eq!(*log.lock().unwrap(), [SessionEventKind::Ended]);
        }
    })
    .await;
}
