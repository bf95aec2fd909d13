//! Visitors who hang up, and those who watch for long.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::response::Response;
use axum::routing::get;
use futures_util::{Stream, StreamExt as _};
use larder::moka::MokaStore;
use larder::rate_limit::{ClientAddress, Network};
use larder::session::Session;
use larder::store::ManualClock;
use larder::{Store, Ttl};
use larder_test::faulty::{Faulty, Operations, Switch, Trouble};
use sqlx::SqlitePool;
use tokio::task::yield_now;
use tokio::time::{pause, timeout};
use tower::ServiceExt as _;

use super::*;
use crate::config::Config;
use crate::{db, sessions};

const ADA: i64 = 1;
const SEAT: Seat = Seat { row: 3, number: 3 };
const HOLD_FOR: Ttl = Ttl::from_secs(300);
const MOMENT: Duration = Duration::from_millis(20);

/// One showing, and Ada, who is signed in.
struct Scene {
    pool: SqlitePool,
    bookings: Bookings,
    pages: Router,
    cookie: String,
    showing: i64,
    trouble: Switch,
    /// The store's.
    clock: ManualClock,
}

impl Scene {
    async fn open() -> Self {
        let (pool, showing) = db::open_with_ada().await;
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        let store = Faulty::new(Arc::new(store));
        let (trouble, store) = (store.switch(), Arc::new(store) as Arc<dyn Store>);
        let sessions = sessions::sessions(store.clone()).unwrap();
        let (outbox, stop) = Default::default();
        let bookings = Bookings::new(pool.clone(), store, HOLD_FOR, outbox, stop).unwrap();
        let sign_in = get(async |session: Session| session.log_in(ADA.to_string()).await);
        let pages = routes(bookings.clone(), ClientAddress::peer())
            .route("/in", sign_in)
            .layer(sessions::layer(&Config::default(), sessions).unwrap());
        let signing_in = Request::get("/in").body(Body::empty()).unwrap();
        let signed_in = pages.clone().oneshot(signing_in).await.unwrap();
        let cookie = signed_in.headers()[SET_COOKIE].to_str().unwrap();
        Self {
            pool,
            bookings,
            cookie: cookie.split(';').next().unwrap().to_owned(),
            pages,
            showing,
            trouble,
            clock,
        }
    }

    async fn post(&self, what: &str) -> Response {
        let form = Request::post(format!("/showings/{}/{what}", self.showing))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(COOKIE, &self.cookie)
            .body(Body::from(format!("seat={SEAT}")));
        self.pages.clone().oneshot(form.unwrap()).await.unwrap()
    }

    async fn watch(&self) -> impl Stream<Item = SeatsNow> + use<> {
        self.watch_from(None).await
    }

    async fn watch_from(&self, seen: Option<Seen>) -> impl Stream<Item = SeatsNow> + use<> {
        let network = Network::of(Ipv4Addr::LOCALHOST.into());
        let watched = self.bookings.watch(self.showing, None, network, seen);
        watched.await.unwrap()
    }

    async fn is_booked(&self) -> bool {
        let booked = db::booked_seats(&self.pool, self.showing).await.unwrap();
        booked.contains_key(&SEAT)
    }
}

/// Returns the seats that the next event names.
async fn changed(watched: &mut Pin<&mut impl Stream<Item = SeatsNow>>) -> Option<BTreeSet<Seat>> {
    let next = timeout(Duration::from_secs(10), watched.next()).await;
    next.expect("those who watch are told").unwrap().changed
}

#[tokio::test]
async fn a_booking_is_told_to_those_who_watch_even_if_its_visitor_hangs_up_after_the_commit() {
    let scene = Scene::open().await;
    let mut watched = pin!(scene.watch().await);
    assert_eq!(changed(&mut watched).await, None);
    let seat = Some(BTreeSet::from([SEAT]));
    assert_eq!(scene.post("hold").await.status(), 303);
    assert_eq!(changed(&mut watched).await, seat);
    // The commit is done and the release hangs when the connection of the visitor breaks.
    let wait = Trouble::Delay(Duration::from_millis(100));
    scene.trouble.set_on(Operations::Programs, wait);
    let is_committed = async {
        while !scene.is_booked().await {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = scene.post("book") => panic!("it is not to end yet: {answer:?}"),
        () = is_committed => {}
    }
    scene.trouble.clear();
    assert_eq!(changed(&mut watched).await, seat);
}

#[tokio::test]
async fn what_a_visitor_does_not_hold_is_not_given_back() {
    let scene = Scene::open().await;
    let mut watched = pin!(scene.watch().await);
    assert_eq!(changed(&mut watched).await, None);
    assert_eq!(scene.post("release").await.status(), 303);
    assert_eq!(scene.post("hold").await.status(), 303);
    let map = watched.next().await.unwrap().map;
    assert!(
        matches!(map.state(SEAT), SeatState::Held(_)),
        "nobody was told of the release"
    );
}

#[tokio::test]
async fn a_stream_ends_after_some_minutes() {
    let scene = Scene::open().await;
    let mut watched = pin!(scene.watch().await);
    assert_eq!(changed(&mut watched).await, None);
    pause();
    let hour = Duration::from_secs(60 * 60);
    let next = timeout(hour, watched.next()).await;
    assert!(next.expect("it does not stay open").is_none());
}

#[tokio::test]
async fn when_a_hold_ends_those_who_watch_are_told_on_the_same_stream() {
    let scene = Scene::open().await;
    let mut watched = pin!(scene.watch().await);
    assert_eq!(changed(&mut watched).await, None);
    assert_eq!(scene.post("hold").await.status(), 303);
    scene.clock.advance(Duration::from(HOLD_FOR) - MOMENT);
    let held = watched.next().await.unwrap();
    assert_eq!(held.map.state(SEAT), SeatState::Held(MOMENT));
    let (_, page) = scene.bookings.page(scene.showing, None).await.unwrap();
    scene.clock.advance(MOMENT);
    // A page that was loaded before and connects only now, and a browser that comes back, are told too.
    let mut later = pin!(scene.watch_from(page).await);
    let mut back = pin!(scene.watch_from(held.seen).await);
    for watched in [&mut later, &mut back] {
        let next = timeout(Duration::from_secs(10), watched.next()).await;
        let now = next.expect("they are told").unwrap();
        assert_eq!((now.changed, now.map.state(SEAT)), (None, SeatState::Free));
    }
    assert_eq!(changed(&mut watched).await, None);
}

#[tokio::test]
async fn a_hold_that_ends_is_shown_although_another_seat_has_changed_meanwhile() {
    let scene = Scene::open().await;
    assert_eq!(scene.post("hold").await.status(), 303);
    scene.clock.advance(Duration::from(HOLD_FOR) - MOMENT);
    let mut watched = pin!(scene.watch().await);
    assert_eq!(changed(&mut watched).await, None);
    scene.clock.advance(MOMENT);
    let other = BTreeSet::from([Seat { row: 1, number: 1 }]);
    let held = scene.bookings.hold(scene.showing, ADA, other.clone());
    held.await.unwrap();
    assert_eq!(changed(&mut watched).await, Some(other));
    assert_eq!(changed(&mut watched).await, None);
}
