//! Operations that their caller drops while the store works.

use std::pin::pin;

use futures_util::future::{Either, select};
use http::StatusCode;

use super::*;
use crate::session::{Answer, Outgoing};
use crate::{FlashLevel, Result, SessionErrorKind};

const COUNT: SessionKey<i64> = SessionKey::new("count");
const NAME: SessionKey<String> = SessionKey::new("name");

/// Runs an operation until its step is at the gate, and drops it.
pub(super) async fn drop_at(gate: &Staged, operation: impl Future) {
    match select(pin!(operation), pin!(gate.arrived.notified())).await {
        Either::Left(_) => panic!("it did not wait"),
        Either::Right(_) => {}
    }
}

/// Runs an operation, and lets its steps pass.
pub(super) async fn pass<T>(gate: &Staged, operation: impl Future<Output = T>) -> T {
    let open = async {
        loop {
            gate.open.notify_one();
            tokio::task::yield_now().await;
        }
    };
    match select(pin!(operation), pin!(open)).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => never,
    }
}

fn is_unavailable<T>(answer: Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == SessionErrorKind::Unavailable)
}

/// Nobody waits for the answer any more, and the change may have been made.
#[tokio::test]
async fn a_write_that_was_dropped_is_not_sent_again_in_its_request() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        for way in 0..3 {
            let mut held = sessions.clone();
            let gate = Staged::on(&mut held, "session-apply", Stage::WaitAfterwards);
            let session = request(&held, Some(&token));
            session.increment(COUNT, 1).await.unwrap();
            match way {
                0 => drop_at(&gate, session.save()).await,
                1 => drop_at(&gate, session.flash(FlashLevel::Info, "saved")).await,
                _ => drop_at(&gate, session.update(NAME, |_| "ada".to_owned())).await,
            }
            let verdict = pass(&gate, session.finish(StatusCode::OK)).await;
            assert!(verdict.answer == Answer::Unavailable, "{way}");
            let count = request(&sessions, Some(&token)).get(COUNT).await.unwrap();
            assert_eq!(count, Some(way + 1));
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_dropped_write_that_began_a_session_no_change_is_lost_in_silence() {
    on_both(async |sessions| {
        for is_sign_in in [false, true] {
            let mut held = sessions.clone();
            let gate = Staged::on(&mut held, "session-create", Stage::WaitAfterwards);
            let session = request(&held, None);
            match is_sign_in {
                false => drop_at(&gate, session.update(COUNT, |_| 1)).await,
                true => drop_at(&gate, session.log_in("ada")).await,
            }
            assert!(is_unavailable(
                session.insert(NAME, &"ada".to_owned()).await
            ));
            assert!(is_unavailable(pass(&gate, session.log_in("ada")).await));
            let verdict = session.finish(StatusCode::OK).await;
            assert!(verdict.answer == Answer::Unavailable, "{is_sign_in}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_is_repeated_after_a_drop_ends_the_other_sessions_of_its_request() {
    on_both(async |sessions| {
        let ada = begin(&sessions).await;
        let other = request(&sessions, None);
        other.log_in("grace").await.unwrap();
        let Outgoing::Set(grace, _) = other.finish(StatusCode::OK).await.cookie else {
            panic!("it signs in");
        };
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-destroy", Stage::Wait);
        let session = request(&held, [&ada, &grace]);
        drop_at(&gate, session.log_in("ada")).await;
        pass(&gate, session.log_in("ada")).await.unwrap();
        for token in [ada, grace] {
            assert!(sessions.open(&token).await.unwrap().session().is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_that_was_dropped_after_the_session_had_ended_has_signed_out() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-withdraw", Stage::Wait);
        let session = request(&held, Some(&token));
        drop_at(&gate, session.log_out()).await;
        assert!(sessions.open(&token).await.unwrap().session().is_none());
        assert_eq!(session.user().await.unwrap(), None);
        let verdict = session.finish(StatusCode::OK).await;
        assert!(matches!(verdict.cookie, Outgoing::Remove) && verdict.is_signed_out);
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_with_two_cookies_that_was_dropped_after_they_had_ended_has_signed_out() {
    on_both(async |sessions| {
        let tokens = [begin(&sessions).await, begin(&sessions).await];
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-withdraw", Stage::Wait);
        let session = request(&held, &tokens);
        drop_at(&gate, session.log_out()).await;
        for token in &tokens {
            assert!(sessions.open(token).await.unwrap().session().is_none());
        }
        let verdict = session.finish(StatusCode::OK).await;
        assert!(matches!(verdict.cookie, Outgoing::Remove) && verdict.is_signed_out);
    })
    .await;
}

#[tokio::test]
async fn a_revocation_that_was_dropped_while_it_freed_space_has_signed_out() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-withdraw", Stage::Wait);
        let session = request(&held, Some(&token));
        drop_at(&gate, session.revoke_all()).await;
        assert_eq!(session.user().await.unwrap(), None);
        let verdict = session.finish(StatusCode::OK).await;
        assert!(matches!(verdict.cookie, Outgoing::Remove) && verdict.is_signed_out);
    })
    .await;
}

#[tokio::test]
async fn a_revocation_whose_answer_was_dropped_leaves_nobody_signed_in() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-revoke", Stage::WaitAfterwards);
        let session = request(&held, Some(&token));
        drop_at(&gate, session.revoke_all()).await;
        assert!(!matches!(session.user().await, Ok(Some(_))));
        session.log_out().await.unwrap();
        let verdict = session.finish(StatusCode::OK).await;
        assert!(matches!(verdict.cookie, Outgoing::Remove) && verdict.is_signed_out);
    })
    .await;
}

#[tokio::test]
async fn an_account_is_disabled_with_an_event_also_if_that_is_dropped_while_it_frees_space() {
    on_both(async |sessions| {
        begin(&sessions).await;
        let (sessions, log) = logged(sessions);
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-withdraw", Stage::Wait);
        drop_at(&gate, held.disable("ada")).await;
        assert!(sessions.is_disabled("ada").await.unwrap());
        assert!(log.lock().unwrap().contains(&SessionEventKind::Disabled));
    })
    .await;
}

/// The sign-in is dropped after it has evicted the phone, and before it has ended it.
#[tokio::test]
async fn a_session_that_a_dropped_sign_in_meant_to_end_is_ended_by_the_next_one() {
    on_both(async |sessions| {
        let sessions = sessions.with_device_limit(DeviceLimit::EndOldest(1));
        let phone = begin(&sessions).await;
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-enroll", Stage::WaitAfterwards);
        let laptop = tokio::spawn(async move { request(&held, None).log_in("ada").await });
        // It finds the list full, and takes the phone off it.
        gate.arrived.notified().await;
        gate.open.notify_one();
        gate.arrived.notified().await;
        laptop.abort();
        assert!(laptop.await.is_err());
        let laptop = begin(&sessions).await;
        assert!(sessions.open(&phone).await.unwrap().session().is_none());
        assert!(sessions.open(&laptop).await.unwrap().session().is_some());
    })
    .await;
}
