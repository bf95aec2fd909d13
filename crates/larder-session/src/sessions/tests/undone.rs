//! What a write has done whose answer was lost or dropped, after which nobody has the secret.

use std::sync::atomic::Ordering;

use http::StatusCode;
use larder_worlds::until;

use super::dropped::drop_at;
use super::lost_sign_in::{
    BEFORE, assert_is_unavailable, begin_and_drop_sign_in, begin_before, losing, wait_until_none,
};
use super::*;
use crate::session::Outgoing;
use crate::session_record::Secret;
use crate::sessions::watch::Subject;

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_sign_in_whose_answer_was_lost_leaves_no_session_that_counts_at_the_limit() {
    on_both(async |sessions| {
        for before in BEFORE {
            // Also if it cannot be taken back at once.
            for stage in [Stage::Count, Stage::FailAt(0)] {
                let token = begin_before(&sessions, before).await;
                let what = format!("{before:?}");
                let mut losing = losing(&sessions, Stage::LoseAnswer, token.as_ref());
                Staged::on(&mut losing, "session-take-reason", stage);
                let session = request(&losing, &token);
                assert_is_unavailable(session.log_in("ada").await, &what);
                drop(session);
                wait_until_none(&sessions, "ada", &what).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_was_dropped_leaves_no_session_that_counts_at_the_limit() {
    on_both(async |sessions| {
        for before in BEFORE {
            drop(begin_and_drop_sign_in(&sessions, before).await);
            wait_until_none(&sessions, "ada", &format!("{before:?}")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_was_dropped_while_it_is_confirmed_leaves_no_session_that_counts_at_the_limit()
 {
    on_both(async |sessions| {
        let sessions = sessions.with_device_limit(DeviceLimit::EndOldest(3));
        for before in BEFORE {
            let token = begin_before(&sessions, before).await;
            let mut held = sessions.clone();
            let gate = Staged::on(&mut held, "session-list", Stage::Wait);
            let session = request(&held, &token);
            drop_at(&gate, session.log_in("ada")).await;
            let verdict = session.finish(StatusCode::OK).await;
            assert!(matches!(verdict.cookie, Outgoing::Keep), "{before:?}");
            wait_until_none(&sessions, "ada", &format!("{before:?}")).await;
        }
    })
    .await;
}

/// Its visitor may be signing in on the same session again.
#[tokio::test]
async fn a_sign_in_that_was_not_carried_out_takes_nothing_off_the_list_later() {
    on_both(async |sessions| {
        let token = begin_before(&sessions, Some(None)).await;
        let mut losing = losing(&sessions, Stage::Lose, token.as_ref());
        let tried = Staged::on(&mut losing, "session-take-reason", Stage::FailAt(0));
        let withdrawn = Staged::on(&mut losing, "session-withdraw", Stage::Count);
        let answer = request(&losing, &token).log_in("ada").await;
        assert_is_unavailable(answer, "nobody knows");
        until("it is tried again", async || {
            tried.calls.load(Ordering::SeqCst) == 2
        })
        .await;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(withdrawn.calls.load(Ordering::SeqCst), 0);
    })
    .await;
}

#[tokio::test]
async fn a_new_id_that_nobody_got_leaves_no_session_that_counts_at_the_limit() {
    on_both(async |sessions| {
        for is_dropped in [false, true] {
            let token = begin(&sessions).await;
            let what = format!("dropped: {is_dropped}");
            if is_dropped {
                let mut held = sessions.clone();
                let gate = Staged::on(&mut held, "session-rotate", Stage::WaitAfterwards);
                let session = request(&held, Some(&token));
                drop_at(&gate, session.rotate()).await;
                assert_is_unavailable(session.user().await.map(drop), &what);
            } else {
                let losing = losing(&sessions, Stage::LoseAnswer, Some(&token));
                let session = request(&losing, Some(&token));
                assert_is_unavailable(session.rotate().await, &what);
                assert_is_unavailable(session.user().await.map(drop), &what);
            }
            wait_until_none(&sessions, "ada", &what).await;
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_renewal_that_nobody_got_the_old_id_stays_in_force() {
    on_both_clocks(async |store, clock| {
        let sessions = process(store).with_renewal(Sessions::MIN_RENEWAL);
        for is_dropped in [false, true] {
            let token = begin(&sessions).await;
            clock.advance(Duration::from_secs(300));
            let mut losing = losing(&sessions, Stage::LoseAnswer, Some(&token));
            let mut held = sessions.clone();
            let gate = Staged::on(&mut held, "session-rotate", Stage::WaitAfterwards);
            if is_dropped {
                losing = held;
            }
            let session = request(&losing, Some(&token));
            assert!(session.user().await.unwrap().is_some());
            match is_dropped {
                true => drop_at(&gate, session.finish(StatusCode::OK)).await,
                false => {
                    let verdict = session.finish(StatusCode::OK).await;
                    assert!(matches!(verdict.cookie, Outgoing::Keep));
                }
            }
            let opened = async || sessions.open(&token).await.unwrap().session().unwrap().by;
            until("the old id is in force", async || {
                opened().await == Secret::Current
            })
            .await;
            clock.advance(Duration::from_secs(61));
            assert!(opened().await == Secret::Current, "dropped: {is_dropped}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_is_taken_back_is_told_to_streams_and_logged() {
    on_both(async |sessions| {
        for before in BEFORE.into_iter().flatten() {
            let (sessions, log) = logged(sessions.clone());
            let token = begin_before(&sessions, Some(before)).await.unwrap();
            let stream = Subject::of(token.record, before);
            let stream = sessions.watch.register(stream);
            while stream.wait(Duration::from_millis(100)).await {}
            log.lock().unwrap().clear();
            let losing = losing(&sessions, Stage::LoseAnswer, Some(&token));
            let what = format!("{before:?}");
            assert_is_unavailable(request(&losing, Some(&token)).log_in("ada").await, &what);
            assert!(stream.wait(LONG).await, "{what}: it looks again");
            let ended: &[_] = match before {
                // Nobody was signed in.
                None => &[],
                Some(_) => &[SessionEventKind::Ended],
            };
            until("it is logged", async || *log.lock().unwrap() == ended).await;
            wait_until_none(&sessions, "ada", &what).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_cannot_be_taken_back_is_tried_for_half_a_minute() {
    let sessions = Sessions::new(Arc::new(MokaStore::new())).unwrap();
    let mut losing = losing(&sessions, Stage::LoseAnswer, None);
    let tried = Staged::on(&mut losing, "session-take-reason", Stage::Fail);
    assert!(request(&losing, None).log_in("ada").await.is_err());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let in_between = tried.calls.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let in_all = tried.calls.load(Ordering::SeqCst);
    assert!((10..in_all).contains(&in_between), "{in_between}, {in_all}");
    assert!(in_all < 30, "{in_all}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(tried.calls.load(Ordering::SeqCst), in_all);
}
