//! What counts at a limit of sessions, and who learns of an eviction.

use http::StatusCode;
use larder_store::Ttl;

use super::*;
use crate::session::Outgoing;
use crate::sessions::watch::Subject;
use crate::user_record::{AtLimit, Enroll, Enrolled, ListSessions};
use crate::{Lifetime, SessionErrorKind, UserRecord};

#[tokio::test]
async fn revoked_sessions_that_could_not_be_removed_do_not_count_at_the_limit() {
    on_both(async |sessions| {
        for limit in [DeviceLimit::Refuse(2), DeviceLimit::EndOldest(2)] {
            let sessions = sessions.clone().with_device_limit(limit);
            let mut failing = sessions.clone();
            Staged::on(&mut failing, "session-destroy", Stage::Fail);
            let (one, two) = (begin(&sessions).await, begin(&sessions).await);
            failing.revoke_all("ada").await.unwrap();
            let (three, four) = (begin(&sessions).await, begin(&sessions).await);
            for (token, is_alive) in [(one, false), (two, false), (three, true), (four, true)] {
                let opened = sessions.open(&token).await.unwrap().session();
                assert_eq!(opened.is_some(), is_alive, "{limit:?}");
            }
            sessions.revoke_all("ada").await.unwrap();
        }
    })
    .await;
}

/// A look is not a lock: between it and the sign-in the user may sign in on a dead session again.
#[tokio::test]
async fn a_session_that_was_seen_dead_and_signs_in_again_stays_on_the_list() {
    on_both(async |sessions| {
        let sessions = sessions.with_device_limit(DeviceLimit::Refuse(1));
        let mut failing = sessions.clone();
        Staged::on(&mut failing, "session-destroy", Stage::Fail);
        let phone = begin(&sessions).await;
        failing.revoke_all("ada").await.unwrap();
        let mut held = sessions.clone();
        let gate = Staged::on(&mut held, "session-peek", Stage::WaitAfterwards);
        let laptop = tokio::spawn(async move {
            let laptop = DeviceId::random();
            held.enroll(laptop, &user(), &SignInOptions::new()).await
        });
        gate.arrived.notified().await;
        let phone = sign_in_again(&sessions, &phone).await;
        gate.open.notify_one();
        assert!(laptop.await.unwrap().is_err(), "the phone counts");
        assert!(sessions.open(&phone).await.unwrap().session().is_some());
    })
    .await;
}

#[tokio::test]
async fn the_list_with_a_session_of_the_longest_life_ends_when_that_does() {
    on_both(async |sessions| {
        let longest = Lifetime::new(Ttl::MAX, Ttl::MAX).unwrap();
        let sessions = sessions.with_lifetime(longest);
        begin(&sessions).await;
        let list = UserRecord::key("ada");
        let shown = sessions.programs.inspect::<UserRecord>(&list).await;
        let shown = shown.unwrap();
        let [(_, list_ends), (_, session_ends)] = shown.fields() else {
            panic!("{shown:?}")
        };
        assert_eq!(list_ends, session_ends);
    })
    .await;
}

#[tokio::test]
async fn an_eviction_that_is_found_late_is_logged_and_told_to_streams() {
    on_both(async |sessions| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let to = log.clone();
        let sessions = sessions
            .with_device_limit(DeviceLimit::EndOldest(1))
            .with_events(move |event| to.lock().unwrap().push((event.kind, event.reason)));
        let phone = Token::random(DeviceId::random(), Some(UserTag::of("ada")));
        let options = SignInOptions::new();
        let ada = user();
        let enrolled = sessions.enroll(phone.record, &ada, &options).await;
        let enrolled = enrolled.unwrap();
        // The laptop evicts the phone, whose session is not there yet.
        begin(&sessions).await;
        log.lock().unwrap().clear();
        let create = sessions.new_session(&phone, Some(enrolled.clone()), &options, Fields::new());
        sessions.create(&phone, create).await.unwrap();
        let stream = sessions.watch.register(Subject::user("ada"));
        while stream.wait(Duration::from_millis(100)).await {}
        sessions.confirm(phone.record, &enrolled).await.unwrap();
        assert!(stream.wait(Duration::from_secs(20)).await, "it looks again");
        let ended = (
            SessionEventKind::Ended,
            Some(crate::EndReason::TooManyDevices),
        );
        assert_eq!(*log.lock().unwrap(), [ended]);
        assert!(sessions.open(&phone).await.unwrap().session().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_session_that_could_not_be_ended_stays_on_the_list() {
    on_both(async |sessions| {
        let phone = begin(&sessions).await;
        let mut failing = sessions.clone();
        Staged::on(&mut failing, "session-destroy", Stage::Fail);
        assert!(failing.revoke("ada", phone.record).await.is_err());
        let devices = sessions.devices("ada").await.unwrap();
        assert_eq!(devices[0].id, phone.record);
        assert!(sessions.revoke("ada", phone.record).await.unwrap());
        assert!(sessions.devices("ada").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_evicted_session_that_could_not_be_ended_stays_on_the_list_until_the_next_sign_in() {
    on_both(async |sessions| {
        let sessions = sessions.with_device_limit(DeviceLimit::EndOldest(1));
        let mut failing = sessions.clone();
        Staged::on(&mut failing, "session-destroy", Stage::Fail);
        let (phone, laptop) = (begin(&sessions).await, begin(&failing).await);
        assert_eq!(sessions.devices("ada").await.unwrap().len(), 2);
        // Also if there is room by then.
        let sessions = sessions.with_device_limit(DeviceLimit::EndOldest(3));
        let tablet = begin(&sessions).await;
        for (token, is_alive) in [(phone, false), (laptop, true), (tablet, true)] {
            let opened = sessions.open(&token).await.unwrap().session();
            assert_eq!(opened.is_some(), is_alive);
        }
        assert_eq!(sessions.devices("ada").await.unwrap().len(), 2);
    })
    .await;
}

/// The phone is on a shard that fails.
#[tokio::test]
async fn an_evicted_session_that_cannot_be_read_prevents_no_sign_in() {
    on_both(async |sessions| {
        let sessions = sessions.with_device_limit(DeviceLimit::EndOldest(1));
        let phone = begin(&sessions).await;
        let mut failing = sessions.clone();
        for script in ["session-destroy", "session-peek"] {
            Staged::on(&mut failing, script, Stage::FailFor(phone.record));
        }
        let mut tokens = vec![phone];
        for device in ["laptop", "tablet"] {
            let session = request(&failing, None);
            let signed_in = session.log_in("ada").await;
            assert!(signed_in.is_ok(), "{device}: {signed_in:?}");
            let Outgoing::Set(token, _) = session.finish(StatusCode::OK).await.cookie else {
                panic!("it signs in");
            };
            tokens.push(token);
        }
        // It ends when its shard is back.
        tokens.push(begin(&sessions).await);
        for token in &tokens {
            let opened = sessions.open(token).await.unwrap().session();
            let is_last = token.record == tokens[3].record;
            assert_eq!(opened.is_some(), is_last);
        }
        // It is unknown whether a session that cannot be read keeps others out.
        let mut refusing = sessions.with_device_limit(DeviceLimit::Refuse(1));
        let stage = Stage::FailFor(tokens[3].record);
        Staged::on(&mut refusing, "session-peek", stage);
        let failed = request(&refusing, None).log_in("ada").await.unwrap_err();
        assert_eq!(failed.kind(), SessionErrorKind::Unavailable);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_names_all_sessions_that_it_evicts_also_those_that_leave_the_list() {
    on_both(async |sessions| {
        let mut before = Vec::new();
        for _ in 0..3 {
            before.push(begin(&sessions).await.record);
        }
        let enroll = Enroll {
            session: DeviceId::random(),
            epoch: [7; 16],
            life: 60_000_000,
            limit: 1,
            at_limit: AtLimit::EndOldest,
            max_evicted: 1,
            seen: Vec::new(),
        };
        let list = UserRecord::key("ada");
        let enrolled = sessions.programs.run(&list, &enroll).await.unwrap();
        let Enrolled::Done { evicted, .. } = enrolled else {
            panic!("{enrolled:?}")
        };
        assert_eq!(evicted, before);
        let all = ListSessions { with_evicted: true };
        let mut listed = sessions.programs.run(&list, &all).await.unwrap();
        let mut expected = vec![before[2], enroll.session];
        listed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(listed, expected);
    })
    .await;
}
