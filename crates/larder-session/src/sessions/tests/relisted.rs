//! Sign-ins whose session ends, or gets another id, while they run.

use http::StatusCode;

use super::*;
use crate::SessionErrorKind;
use crate::session::Outgoing;

const VISITS: SessionKey<i64> = SessionKey::new("visits");

/// Signs in with a request that has read its session, after `meanwhile`.
async fn sign_in_after(sessions: &Sessions, token: &Token, meanwhile: impl Future<Output = ()>) {
    let session = request(sessions, Some(token));
    session.user().await.unwrap();
    meanwhile.await;
    session.log_in("ada").await.unwrap();
}

async fn lives(sessions: &Sessions, token: &Token) -> bool {
    sessions.open(token).await.unwrap().session().is_some()
}

#[tokio::test]
async fn a_sign_in_whose_session_ended_meanwhile_counts_once_at_the_limit() {
    on_both(async |sessions| {
        let refusing = sessions.clone().with_device_limit(DeviceLimit::Refuse(1));
        let only = begin(&refusing).await;
        let end = async |token: &Token| {
            assert!(sessions.revoke("ada", token.record).await.unwrap());
        };
        sign_in_after(&refusing, &only, end(&only)).await;
        sessions.revoke_all("ada").await.unwrap();

        let ending = sessions
            .clone()
            .with_device_limit(DeviceLimit::EndOldest(2));
        let (phone, laptop) = (begin(&ending).await, begin(&ending).await);
        sign_in_after(&ending, &laptop, end(&laptop)).await;
        assert!(lives(&sessions, &phone).await);
        assert_eq!(sessions.devices("ada").await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_session_on_which_another_request_signed_in_stays_on_the_list() {
    on_both(async |sessions| {
        let token = begin(&sessions).await;
        sign_in_after(&sessions, &token, async {
            sign_in_again(&sessions, &token).await;
        })
        .await;
        assert_eq!(sessions.devices("ada").await.unwrap().len(), 2);
        let refusing = sessions.clone().with_device_limit(DeviceLimit::Refuse(2));
        let third = request(&refusing, None).log_in("ada").await.unwrap_err();
        assert_eq!(third.kind(), SessionErrorKind::TooManyDevices);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_that_failed_does_not_count_at_the_limit() {
    on_both(async |sessions| {
        let sessions = sessions.with_device_limit(DeviceLimit::Refuse(1));
        let visitor = request(&sessions, None);
        visitor.increment(VISITS, 1).await.unwrap();
        let Outgoing::Set(visitor, _) = visitor.finish(StatusCode::OK).await.cookie else {
            panic!("a session begins");
        };
        for (script, token) in [("session-create", None), ("session-rotate", Some(&visitor))] {
            let mut failing = sessions.clone();
            Staged::on(&mut failing, script, Stage::Fail);
            let failed = request(&failing, token).log_in("ada").await.unwrap_err();
            assert_eq!(failed.kind(), SessionErrorKind::Unavailable, "{script}");
            let other = request(&sessions, None);
            other.log_in("ada").await.unwrap();
            // A sign-in again that fails leaves the session on the list.
            let Outgoing::Set(other, _) = other.finish(StatusCode::OK).await.cookie else {
                panic!("it signs in, {script}");
            };
            let mut failing = sessions.clone();
            Staged::on(&mut failing, "session-rotate", Stage::Fail);
            let again = request(&failing, Some(&other)).log_in("ada").await;
            assert!(again.is_err(), "{script}");
            let third = request(&sessions, None).log_in("ada").await.unwrap_err();
            assert_eq!(third.kind(), SessionErrorKind::TooManyDevices, "{script}");
            sessions.revoke_all("ada").await.unwrap();
        }
    })
    .await;
}
