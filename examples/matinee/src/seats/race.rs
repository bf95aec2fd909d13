//! Several visitors compete for one seat and one gets it: a thousand times, on each backend.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use larder::moka::MokaStore;
use larder::rate_limit::Network;
use larder::redis::RedisStore;
use larder::{Store, Ttl};
use larder_test::server::{RedisServer, Sandbox};
use sqlx::SqlitePool;

use super::bookings::{Bookings, Denied};
use super::{Seat, Showing};
use crate::db;

const ROUNDS: usize = 1_000;
const CONTENDERS: i64 = 8;

/// A database in a file, so that as many write at once as would in production.
struct Database {
    pool: SqlitePool,
    showings: Vec<Showing>,
    _sandbox: Sandbox,
}

impl Database {
    async fn open() -> Self {
        let sandbox = Sandbox::new().unwrap();
        let url = format!("sqlite://{}", sandbox.path().join("race.db").display());
        let pool = db::open(&url).await.unwrap();
        for number in 1..=CONTENDERS {
            sqlx::query(
                "INSERT INTO users (id, email, name, password_hash) VALUES (?, ?, 'X', '')",
            )
            .bind(number)
            .bind(format!("{number}@matinee.example"))
            .execute(&pool)
            .await
            .unwrap();
        }
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM showings ORDER BY starts_at_ms DESC LIMIT 24")
                .fetch_all(&pool)
                .await
                .unwrap();
        let mut showings = Vec::new();
        for id in ids {
            showings.push(db::showing(&pool, id).await.unwrap().unwrap());
        }
        Self {
            pool,
            showings,
            _sandbox: sandbox,
        }
    }

    fn bookings(&self, store: &Arc<dyn Store>) -> Bookings {
        let (outbox, stop) = Default::default();
        let hold_for = Ttl::from_secs(300);
        Bookings::new(self.pool.clone(), store.clone(), hold_for, outbox, stop).unwrap()
    }

    /// A different seat in each round.
    fn seats(&self) -> impl Iterator<Item = (i64, Seat)> {
        let all = self.showings.iter().flat_map(|showing| {
            let seats = (1..=showing.seat_rows).flat_map(|row| {
                (1..=showing.seats_per_row).map(move |number| Seat { row, number })
            });
            seats.map(|seat| (showing.id, seat))
        });
        all.take(ROUNDS)
    }

    async fn owners(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM booked_seats")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

/// Runs every contender at once and returns their results.
async fn all_at_once<F>(ask: impl Fn(i64) -> F) -> Vec<Result<(), Denied>>
where
    F: Future<Output = Result<(), Denied>> + Send + 'static,
{
    let tasks: Vec<_> = (1..=CONTENDERS)
        .map(|user| tokio::spawn(ask(user)))
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Everybody holds the seat and then books it, through one of two processes.
async fn one_gets_it(database: &Database, both: [Bookings; 2]) {
    let mut rounds = 0;
    for (showing, seat) in database.seats() {
        let seats = BTreeSet::from([seat]);
        let bookings = |user: i64| both[usize::from(user % 2 == 0)].clone();
        let held = all_at_once(|user| {
            let (bookings, seats) = (bookings(user), seats.clone());
            async move { bookings.hold(showing, user, seats).await }
        })
        .await;
        let holders: Vec<_> = (1..).zip(&held).filter(|(_, held)| held.is_ok()).collect();
        assert_eq!(holders.len(), 1, "{held:?}");
        let refused = held.iter().filter(|it| matches!(it, Err(Denied::Taken(_))));
        assert_eq!(refused.count(), held.len() - 1, "{held:?}");

        let booked = all_at_once(|user| {
            let (bookings, seats) = (bookings(user), seats.clone());
            async move { bookings.book(showing, user, seats).await }
        })
        .await;
        let owners: Vec<_> = (1..).zip(&booked).filter(|(_, it)| it.is_ok()).collect();
        let (owner, holder): (i64, i64) = (owners[0].0, holders[0].0);
        assert_eq!((owners.len(), owner), (1, holder), "{booked:?}");
        rounds += 1;
    }
    assert_eq!((rounds, database.owners().await), (ROUNDS, ROUNDS as i64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_want_a_seat_one_gets_it_in_process() {
    let database = Database::open().await;
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let both = [database.bookings(&store), database.bookings(&store)];
    one_gets_it(&database, both).await;
}

async fn connect(server: &RedisServer) -> Arc<dyn Store> {
    let store = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
    Arc::new(store.connect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_want_a_seat_one_gets_it_on_redis() {
    let database = Database::open().await;
    let server = RedisServer::start().unwrap();
    let first = database.bookings(&connect(&server).await);
    let both = [first, database.bookings(&connect(&server).await)];
    one_gets_it(&database, both).await;
}

/// Each contender has its own store: the same as one store that forgets every hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_is_booked_once_though_the_store_lets_everybody_hold_it() {
    let database = Database::open().await;
    let bookings = || {
        let store: Arc<dyn Store> = Arc::new(MokaStore::new());
        database.bookings(&store)
    };
    let alone: Vec<_> = (0..CONTENDERS).map(|_| bookings()).collect();
    for (showing, seat) in database.seats() {
        let seats = BTreeSet::from([seat]);
        let booked = all_at_once(|user| {
            let bookings = alone[usize::try_from(user - 1).unwrap()].clone();
            let seats = seats.clone();
            async move {
                bookings.hold(showing, user, seats.clone()).await?;
                bookings.book(showing, user, seats).await
            }
        })
        .await;
        assert_eq!(
            booked.iter().filter(|it| it.is_ok()).count(),
            1,
            "{booked:?}"
        );
        let late = booked
            .iter()
            .filter(|it| matches!(it, Err(Denied::Taken(_))));
        assert_eq!(late.count(), booked.len() - 1, "{booked:?}");
    }
    assert_eq!(database.owners().await, ROUNDS as i64);
}

/// A page from before the seat was sold may still offer it.
#[tokio::test]
async fn a_hold_that_is_refused_leaves_the_seats_that_the_visitor_held_before() {
    let database = Database::open().await;
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let bookings = database.bookings(&store);
    let showing = database.showings[0].id;
    let seats =
        |names: &[&str]| -> BTreeSet<Seat> { names.iter().map(|it| it.parse().unwrap()).collect() };
    let (ada, grace) = (1, 2);
    let sold = seats(&["A2"]);
    bookings.hold(showing, grace, sold.clone()).await.unwrap();
    bookings.book(showing, grace, sold.clone()).await.unwrap();
    bookings.hold(showing, ada, seats(&["A3"])).await.unwrap();
    let network = Network::of(Ipv4Addr::LOCALHOST.into());
    let mut watched = pin!(bookings.watch(showing, None, network, None).await.unwrap());
    assert!(watched.next().await.unwrap().changed.is_none());

    let stale = seats(&["A2", "A3", "A4"]);
    match bookings.hold(showing, ada, stale).await {
        Err(Denied::Taken(taken)) => assert_eq!(taken, Vec::from_iter(sold)),
        other => panic!("{other:?}"),
    }
    // Ada still has her seat, and nobody holds the one that was new.
    let map = bookings.map(showing, Some(ada)).await.unwrap();
    let yours: BTreeSet<_> = map.yours().map(|(seat, _)| seat).collect();
    assert_eq!(yours, seats(&["A3"]));
    bookings.book(showing, ada, seats(&["A3"])).await.unwrap();
    // A visitor who saw the new seat held learns that it is free.
    let told = async {
        loop {
            let changed = watched.next().await.unwrap().changed.unwrap();
            if changed.is_superset(&seats(&["A4"])) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .expect("the released seat is announced");
    bookings.hold(showing, grace, seats(&["A4"])).await.unwrap();
}
