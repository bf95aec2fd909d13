//! Sign-outs of several sessions of which one cannot be ended, and after a write that failed.

use std::sync::atomic::Ordering;

use http::StatusCode;

use super::dropped::{drop_at, pass};
use super::*;
use crate::SessionErrorKind;
use crate::session::{Answer, Outgoing};

const COUNT: SessionKey<i64> = SessionKey::new("count");

async fn lives(sessions: &Sessions, token: &Token) -> bool {
    sessions.open(token).await.unwrap().session().is_some()
}

#[tokio::test]
async fn a_session_that_cannot_be_ended_does_not_keep_the_others_of_its_sign_out_alive() {
    on_both(async |sessions| {
        for failing in 0..3 {
            let (sessions, log) = logged(sessions.clone());
            // The request uses the latest.
            let [first, second] = [begin(&sessions).await, begin(&sessions).await];
            let tokens = [begin(&sessions).await, first, second];
            let mut held = sessions.clone();
            Staged::on(&mut held, "session-destroy", Stage::FailAt(failing));
            let session = request(&held, &tokens);
            let failed = session.log_out().await.unwrap_err();
            assert_eq!(failed.kind(), SessionErrorKind::Unavailable, "{failing}");
            let mut living = Vec::new();
            for token in &tokens {
                if lives(&sessions, token).await {
                    living.push(*token);
                }
            }
            assert_eq!(living.len(), 1, "{failing}");
            // The visitor can try again with the next request.
            let again = request(&held, &tokens);
            let is_own = living[0].record == tokens[0].record;
            assert_eq!(is_own, failing == 0);
            assert_eq!(session.user().await.unwrap().is_some(), is_own);
            match failing {
                0 | 1 => {
                    session.log_out().await.unwrap();
                    let verdict = session.finish(StatusCode::OK).await;
                    assert!(matches!(verdict.cookie, Outgoing::Remove) && verdict.is_signed_out);
                }
                _ => {
                    let verdict = session.finish(StatusCode::SERVICE_UNAVAILABLE).await;
                    assert!(matches!(verdict.cookie, Outgoing::Keep) && !verdict.is_signed_out);
                    again.log_out().await.unwrap();
                }
            }
            assert!(!lives(&sessions, &living[0]).await, "{failing}");
            let ended = SessionEventKind::SignedOut;
            let ended = log
                .lock()
                .unwrap()
                .iter()
                .filter(|kind| **kind == ended)
                .count();
            assert_eq!(ended, 3, "each once, {failing}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_ends_all_sessions_of_its_request_at_once() {
    on_both(async |sessions| {
        let tokens = [(); 3].map(async |()| begin(&sessions).await);
        let tokens = futures_util::future::join_all(tokens).await;
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-destroy", Stage::Wait);
        let lists = Staged::on(&mut held, "session-withdraw", Stage::Count);
        let session = request(&held, &tokens);
        drop_at(&gate, session.log_out()).await;
        assert_eq!(gate.calls.load(Ordering::SeqCst), 3);
        pass(&gate, session.log_out()).await.unwrap();
        for token in &tokens {
            assert!(!lives(&sessions, token).await);
        }
        assert_eq!(
            lists.calls.load(Ordering::SeqCst),
            1,
            "the list of their user"
        );
    })
    .await;
}

/// The other session is on a shard that hangs.
#[tokio::test]
async fn a_sign_out_that_was_dropped_before_all_had_ended_leaves_nobody_signed_in_and_can_be_repeated()
 {
    on_both(async |sessions| {
        // The request uses the latest.
        let [other, own] = [begin(&sessions).await, begin(&sessions).await];
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-destroy", Stage::WaitAt(1));
        let session = request(&held, [&own, &other]);
        drop_at(&gate, session.log_out()).await;
        assert!(!matches!(session.user().await, Ok(Some(_))));
        session.log_out().await.unwrap();
        for token in [own, other] {
            assert!(!lives(&sessions, &token).await);
        }
        let verdict = session.finish(StatusCode::OK).await;
        assert!(matches!(verdict.cookie, Outgoing::Remove) && verdict.is_signed_out);
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_whose_answer_was_lost_leaves_nobody_signed_in_and_can_be_repeated() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let mut losing = sessions.clone();
        Staged::on(&mut losing, "session-destroy", Stage::LoseAnswer);
        let session = request(&losing, [&token]);
        session.log_out().await.unwrap_err();
        assert!(!matches!(session.user().await, Ok(Some(_))));
        session.log_out().await.unwrap_err();
        let verdict = session.finish(StatusCode::OK).await;
        assert!(verdict.answer == Answer::Unavailable);
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_whose_answer_was_lost_before_the_store_failed_leaves_nobody_signed_in() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let mut losing = sessions.clone();
        Staged::on(&mut losing, "session-destroy", Stage::LoseAnswerAt(0));
        Staged::on(&mut losing, "session-destroy", Stage::FailAt(1));
        let session = request(&losing, [&token]);
        session.log_out().await.unwrap_err();
        assert!(sessions.open(&token).await.unwrap().session().is_none());
        assert!(!matches!(session.user().await, Ok(Some(_))));
        session.log_out().await.unwrap();
    })
    .await;
}

/// A sign-out needs nothing of what the write has left unknown.
#[tokio::test]
async fn after_a_write_whose_answer_was_lost_the_request_can_sign_out() {
    on_both(async |sessions| {
        for on_failure in [OnFailure::Unavailable, OnFailure::Anonymous] {
            let visitor = request(&sessions, None);
            visitor.insert(COUNT, &1).await.unwrap();
            let Outgoing::Set(visitor, _) = visitor.finish(StatusCode::OK).await.cookie else {
                panic!("a session begins");
            };
            let [ada, other] = [begin(&sessions).await, begin(&sessions).await];
            for tokens in [vec![ada, other], vec![visitor]] {
                let mut losing = sessions.clone();
                Staged::on(&mut losing, "session-apply", Stage::LoseAnswer);
                let session = request_on_failure(&losing, &tokens, on_failure);
                session.increment(COUNT, 1).await.unwrap();
                session.save().await.unwrap_err();
                session.log_out().await.unwrap();
                for token in &tokens {
                    assert!(!lives(&sessions, token).await);
                }
                let verdict = session.finish(StatusCode::OK).await;
                assert!(matches!(verdict.cookie, Outgoing::Remove) && verdict.is_signed_out);
                let is_given = verdict.answer == Answer::Given;
                assert_eq!(is_given, on_failure == OnFailure::Anonymous);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_lost_write_a_session_on_which_another_user_signed_in_stays() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let mut losing = sessions.clone();
        Staged::on(&mut losing, "session-apply", Stage::LoseAnswer);
        let session = request(&losing, Some(&token));
        session.increment(COUNT, 1).await.unwrap();
        session.save().await.unwrap_err();
        let other = request(&sessions, Some(&token));
        other.log_in("grace").await.unwrap();
        let Outgoing::Set(grace, _) = other.finish(StatusCode::OK).await.cookie else {
            panic!("it signs in");
        };
        session.log_out().await.unwrap();
        assert!(lives(&sessions, &grace).await);
        let verdict = session.finish(StatusCode::OK).await;
        assert!(matches!(verdict.cookie, Outgoing::Keep) && !verdict.is_signed_out);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_could_not_read_its_session_cannot_sign_out() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let mut failing = sessions.clone();
        Staged::on(&mut failing, "session-read", Stage::Fail);
        let session = request(&failing, Some(&token));
        session.user().await.unwrap_err();
        let failed = session.log_out().await.unwrap_err();
        assert_eq!(failed.kind(), SessionErrorKind::Unavailable);
        assert!(lives(&sessions, &token).await);
    })
    .await;
}
