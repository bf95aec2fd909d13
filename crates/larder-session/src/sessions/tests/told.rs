//! What a process knows of everyone's sessions, and what its streams are told.

use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::*;
use crate::EndReason;
use crate::sessions::Watched;
use crate::sessions::watch::Subject;

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_dead_cookie_that_asks_for_everyone_asks_for_all_requests() {
    on_both(async |sessions| {
        let living = begin(&sessions).await;
        assert!(sessions.open(&living).await.unwrap().session().is_some());
        sessions.everyone.forget();
        let dead = Token::random(DeviceId::random(), Some(UserTag::of("ada")));
        assert!(sessions.open(&dead).await.unwrap().session().is_none());
        let now = sessions.time.about(&*sessions.programs).unwrap();
        assert!(sessions.everyone.known(now).is_some());
    })
    .await;
}

/// A stream reads its session when it opens, and another process revokes it before the answer is back.
#[tokio::test]
async fn a_stream_that_opens_while_its_session_is_revoked_ends() {
    on_both_stores(async |store| {
        // An interval that no test waits for: the message ends the stream.
        let here = process(store.clone()).with_watch_interval(Duration::from_secs(3600));
        let there = process(store);
        let others = here.watch.register(Subject::user("ada"));
        assert!(others.wait(LONG).await, "the subscription has begun");
        for what in ["the session", "the user", "everyone", "the account"] {
            let token = begin(&here).await;
            let mut opening = here.clone();
            // The last answer of the read.
            let read = Staged::on(
                &mut opening,
                "session-revocation-state",
                Stage::WaitAfterwards,
            );
            let watched = Watched {
                session: token.record,
                user: Some(user()),
                left: 60_000_000,
            };
            let stream = tokio::spawn(async move { opening.ended(watched).await });
            read.arrived.notified().await;
            match what {
                "the session" => assert!(there.revoke("ada", token.record).await.unwrap()),
                "the user" => there.revoke_all("ada").await.unwrap(),
                "everyone" => there.revoke_everyone().await.unwrap(),
                _ => there.disable("ada").await.unwrap(),
            }
            assert!(others.wait(LONG).await, "this process was told");
            read.open.notify_one();
            let again = timeout(LONG, read.arrived.notified()).await;
            assert!(again.is_ok(), "a stream missed the end of {what}");
            read.open.notify_one();
            let expected = match what {
                "the account" => EndReason::Disabled,
                _ => EndReason::Administrator,
            };
            assert_eq!(stream.await.unwrap(), expected, "{what}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_told_anything_leaves_what_is_known_of_everyone() {
    let clock = ManualClock::default();
    clock.advance(Duration::from_secs(1));
    let store = MokaStore::builder().with_clock(clock).build();
    let mut sessions = Sessions::new(Arc::new(store)).unwrap();
    let token = begin(&sessions).await;
    let asked = Staged::on(&mut sessions, "session-everyone", Stage::Count);
    let looked = Staged::on(&mut sessions, "session-read", Stage::Count);
    let watched = Watched {
        session: token.record,
        user: Some(user()),
        left: 60_000_000,
    };
    let stream = tokio::spawn(async move { sessions.ended(watched).await });
    while looked.calls.load(Ordering::SeqCst) < 5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stream.abort();
    // At the beginning, and when its subscription began.
    assert!(asked.calls.load(Ordering::SeqCst) <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_store_that_never_answers_ends_when_its_session_would() {
    let mut sessions = Sessions::new(Arc::new(MokaStore::new())).unwrap();
    Staged::on(&mut sessions, "session-read", Stage::Fail);
    let watched = Watched {
        session: DeviceId::random(),
        user: None,
        left: 90_000_000,
    };
    let began = tokio::time::Instant::now();
    assert_eq!(sessions.ended(watched).await, EndReason::Expired);
    assert!((90..92).contains(&began.elapsed().as_secs()));
}

/// A process may have had a runtime before, such as for its start.
#[test]
fn a_stream_is_told_also_if_the_runtime_of_an_earlier_one_has_ended() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let [here, there] = [&store, &store].map(|store| Sessions::new(store.clone()).unwrap());
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let ada = Subject::user("ada");
    let first = runtime();
    let earlier = first.block_on(async { here.watch.register(ada) });
    drop(first);
    runtime().block_on(async {
        let stream = here.watch.register(ada);
        // Its subscription begins.
        assert!(stream.wait(Duration::from_secs(20)).await);
        there.tell(Subject::user("ada"));
        assert!(stream.wait(Duration::from_secs(20)).await);
    });
    drop(earlier);
}
