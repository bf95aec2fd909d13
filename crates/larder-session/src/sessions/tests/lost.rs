//! Writes whose answers are lost, and writes that were not sent.

use std::sync::Arc;

use http::header::COOKIE;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::session::{Answer, Config};
use crate::{OnFailure, Result, Session, SessionCookie, SessionErrorKind, SessionKey};

const COUNT: SessionKey<i64> = SessionKey::new("count");

/// A request with the cookie of a token.
fn request(sessions: &Sessions, token: Option<&Token>) -> Session {
    let config = Config {
        sessions: sessions.clone(),
        cookie: SessionCookie::default(),
        on_failure: OnFailure::default(),
        clear_site_data: None,
    };
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let cookie = format!("__Host-session={}", token.encode());
        headers.insert(COOKIE, cookie.parse().unwrap());
    }
    Session::new(Arc::new(config), &headers)
}

fn is_unavailable<T>(answer: Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == SessionErrorKind::Unavailable)
}

/// Nobody knows whether it was done: to do it again would do it twice, or fail for another reason.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_tried_again_in_its_request() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        for (script, times) in [("session-apply", 2), ("session-create", 3)] {
            let mut losing = sessions.clone();
            let staged = Staged::on(&mut losing, script, Stage::LoseAnswer);
            let known = (script == "session-apply").then_some(&token);
            for way in 0..times {
                let session = request(&losing, known);
                session.increment(COUNT, 1).await.unwrap();
                let lost = match way {
                    0 => session.save().await,
                    1 => session.update(COUNT, |_| 7).await.map(drop),
                    _ => session.log_in("ada").await,
                };
                assert!(is_unavailable(lost), "{script} {way}");
                assert!(
                    is_unavailable(session.log_in("ada").await),
                    "{script} {way}"
                );
                let verdict = session.finish(StatusCode::OK).await;
                assert!(verdict.answer == Answer::Unavailable, "{script} {way}");
            }
            assert_eq!(
                staged.calls.load(std::sync::atomic::Ordering::SeqCst),
                times
            );
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
            let calls = staged.calls.load(std::sync::atomic::Ordering::SeqCst);
            assert_eq!(calls, 2, "{script}");
        }
    })
    .await;
}
