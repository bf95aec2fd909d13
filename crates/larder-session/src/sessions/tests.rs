//! Sessions on programs that wait or fail on command.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use http::header::COOKIE;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Store};
use larder_test::server::RedisServer;

use super::{DeviceLimit, Sessions};
use crate::session::Config;
use crate::session_record::{Choice, Fields, SignIn};
use crate::token::{DeviceId, Token, UserTag};
use crate::{OnFailure, Session, SessionCookie, SessionEventKind, SessionKey, SignInOptions};
use staged::{Stage, Staged};

mod clock;
mod dropped;
mod lists;
mod lost;
mod lost_sign_in;
mod mixed;
mod mutual;
mod relisted;
mod sign_out;
mod staged;
mod told;
mod undone;

fn user() -> Arc<str> {
    "ada".into()
}

async fn begin(sessions: &Sessions) -> Token {
    let options = SignInOptions::new();
    let token = Token::random(DeviceId::random(), Some(UserTag::of("ada")));
    let user = sessions
        .enroll(token.record, &user(), &options)
        .await
        .unwrap();
    let create = sessions.new_session(&token, Some(user), &options, Fields::new());
    sessions.create(&token, create).await.unwrap();
    token
}

async fn sign_in_again(sessions: &Sessions, from: &Token) -> Token {
    let options = SignInOptions::new();
    let user = sessions
        .enroll(from.record, &user(), &options)
        .await
        .unwrap();
    let to = Token::random(from.record, Some(UserTag::of("ada")));
    let sign_in = SignIn {
        user,
        absolute: sessions.absolute(&options),
        choice: Choice::of(&options),
    };
    let generation = sessions.rotate(from, &to, Some(sign_in)).await.unwrap();
    assert!(generation.is_some(), "the session is still there");
    to
}

/// A request with the cookies of these tokens.
fn request<'a>(sessions: &Sessions, tokens: impl IntoIterator<Item = &'a Token>) -> Session {
    request_on_failure(sessions, tokens, OnFailure::default())
}

fn request_on_failure<'a>(
    sessions: &Sessions,
    tokens: impl IntoIterator<Item = &'a Token>,
    on_failure: OnFailure,
) -> Session {
    let config = Config {
        sessions: sessions.clone(),
        cookie: SessionCookie::default(),
        on_failure,
        clear_site_data: None,
    };
    let mut headers = HeaderMap::new();
    for token in tokens {
        let cookie = format!("__Host-session={}", token.encode());
        headers.append(COOKIE, cookie.parse().unwrap());
    }
    Session::new(Arc::new(config), &headers)
}

/// Collects the kinds of the events.
fn logged(sessions: Sessions) -> (Sessions, Arc<Mutex<Vec<SessionEventKind>>>) {
    let log = Arc::<Mutex<Vec<_>>>::default();
    let to = log.clone();
    let sessions = sessions.with_events(move |event| to.lock().unwrap().push(event.kind));
    (sessions, log)
}

/// One process on this store.
fn process(store: Arc<dyn Store>) -> Sessions {
    let sessions = Sessions::new(store).unwrap();
    sessions.with_store_timeout(Duration::from_secs(20))
}

/// Runs a test of one process on both stores, by a clock that stands still.
async fn on_both(test: impl AsyncFn(Sessions)) {
    on_both_stores(async |store| test(process(store)).await).await;
}

/// Runs a test on both stores, by a clock that stands still.
async fn on_both_stores(test: impl AsyncFn(Arc<dyn Store>)) {
    on_both_clocks(async |store, _| test(store).await).await;
}

/// Runs a test on both stores, by a clock that the test advances.
async fn on_both_clocks(test: impl AsyncFn(Arc<dyn Store>, &ManualClock)) {
    let clock = ManualClock::default();
    clock.advance(Duration::from_secs(1));
    let memory = MokaStore::builder().with_clock(clock.clone()).build();
    test(Arc::new(memory), &clock).await;
    let server = RedisServer::start().unwrap();
    let redis = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_timeout(Duration::from_secs(10));
    test(Arc::new(redis.connect().await.unwrap()), &clock).await;
}

async fn holds(sessions: Sessions) {
    let sessions = sessions.with_device_limit(DeviceLimit::EndOldest(1));
    let phone = begin(&sessions).await;

    // A sign-in on the laptop evicts the phone, and has not ended it yet.
    let mut gated = sessions.clone();
    let gate = Staged::on(&mut gated, "session-destroy", Stage::Wait);
    let laptop = tokio::spawn(async move { begin(&gated).await });
    gate.arrived.notified().await;

    // The phone signs in again, with room for both.
    let sessions = sessions.with_device_limit(DeviceLimit::EndOldest(2));
    let phone = sign_in_again(&sessions, &phone).await;
    gate.open.notify_one();
    let laptop = laptop.await.unwrap();
    for token in [phone, laptop] {
        assert!(sessions.open(&token).await.unwrap().session().is_some());
    }

    // A device that does not sign in again is ended, also if all happens in one tick of the clock.
    let tablet = begin(
        &sessions
            .clone()
            .with_device_limit(DeviceLimit::EndOldest(1)),
    )
    .await;
    assert!(sessions.open(&tablet).await.unwrap().session().is_some());
    for token in [phone, laptop] {
        assert!(sessions.open(&token).await.unwrap().session().is_none());
    }
}

#[test]
fn a_limit_of_sessions_is_at_least_one_and_at_most_the_length_of_a_list() {
    for (most, expected) in [(0, 1), (1, 1), (1000, 1000), (u16::MAX, 1000)] {
        for limit in [DeviceLimit::Refuse(most), DeviceLimit::EndOldest(most)] {
            assert_eq!(limit.parts().0, expected, "{limit:?}");
        }
    }
}

#[tokio::test]
async fn an_evicted_device_that_signs_in_again_meanwhile_stays() {
    on_both(holds).await;
}

/// Allocators are fast up to about a kilobyte, and each handler's future is allocated.
#[test]
fn the_futures_of_a_session_are_small() {
    const CITY: SessionKey<String> = SessionKey::new("city");
    let sessions = Sessions::new(Arc::new(MokaStore::new())).unwrap();
    let token = Token::random(DeviceId::random(), None);
    let opened = size_of_val(&*sessions.open_later(&token));
    let session = request(&sessions, None);
    let sizes = [
        ("get", size_of_val(&session.get(CITY)), 1_000),
        ("user", size_of_val(&session.user()), 1_000),
        ("require_user", size_of_val(&session.require_user()), 1_000),
        ("the read of a store that waits", opened, 1_032),
    ];
    for (name, size, most) in sizes {
        assert!(size <= most, "{name}: {size} bytes");
    }
}
