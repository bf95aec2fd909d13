//! The programs of the pages for those who add something, as the pages have them.

// They are public where they stand in a crate of their own.
#[allow(unreachable_pub)]
mod both_sessions;
#[allow(unreachable_pub)]
mod coupons;
#[allow(unreachable_pub)]
mod larder_session;
mod laws;
#[allow(unreachable_pub)]
mod map_store;
mod moving;
#[allow(unreachable_pub)]
mod tower_sessions;

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_store::{ManualClock, Store, Ttl};
use larder_test::server::RedisServer;
use larder_test::trace::{step, trace};
use larder_worlds::traces::pair;

use coupons::{Coupons, Redeem, Redemptions};
use larder_worlds::patient;
use map_store::MapStore;

const HOUR: Ttl = Ttl::from_secs(3600);

#[tokio::test]
async fn a_coupon_is_redeemed_as_often_as_it_may_be_on_both_stores() {
    let server = RedisServer::start().expect("a redis-server");
    let redis = patient(&server.url()).connect().await.expect("connected");
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MokaStore::new()), Arc::new(redis)];
    for store in stores {
        let coupons = Arc::new(Coupons::new(store, 5, HOUR).expect("it runs programs"));
        let racers: Vec<_> = (0..40)
            .map(|_| {
                let coupons = coupons.clone();
                tokio::spawn(async move { coupons.redeem("SPRING").await })
            })
            .collect();
        let mut redeemed = 0;
        for racer in racers {
            redeemed += u32::from(racer.await.expect("no panic").expect("an answer"));
        }
        assert_eq!(redeemed, 5);
        assert!(coupons.redeem("SUMMER").await.expect("an answer"));
    }
}

#[test]
fn coupons_say_when_they_are_made_that_a_store_runs_no_programs() {
    let store = Arc::new(MapStore::new(ManualClock::default()));
    let error = Coupons::new(store, 5, HOUR).err().expect("an error");
    assert!(error.to_string().contains("coupons"), "{error}");
}

#[tokio::test]
async fn both_forms_of_the_coupon_do_the_same() {
    let server = RedisServer::start().expect("a redis-server");
    let pair = pair(&server).await;
    for seed in 1..4 {
        let run = trace::<Redemptions>(&pair, seed, 200, |rng| {
            let (limit, ttl) = (rng.i64(1..6), Ttl::from_millis(rng.u64(1..50)));
            let ends = move |_: &bool, now: larder_store::Timestamp| {
                vec![now.plus_micros(ttl.as_micros())]
            };
            step(Redeem { limit, ttl }, ends)
        });
        if let Err(divergence) = run.await {
            panic!("{divergence}");
        }
    }
}

#[test]
fn the_page_of_backends_names_each_function_of_the_prelude() {
    let page = include_str!("../../../docs/adding-a-backend.md");
    let prelude = include_str!("../../../crates/larder-redis/src/lua/prelude.lua");
    let functions = prelude
        .lines()
        .filter_map(|it| it.strip_prefix("local function "));
    let functions: Vec<_> = functions.filter_map(|it| it.split_once('(')).collect();
    assert_eq!(functions.len(), 6, "{functions:?}");
    for (name, _) in functions {
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not on the page"
        );
    }
}

#[test]
fn the_pages_show_what_is_tested_here() {
    let shown = [
        (
            include_str!("../../../docs/adding-a-backend.md"),
            include_str!("pages/map_store.rs"),
        ),
        (
            include_str!("../../../docs/adding-a-layer.md"),
            include_str!("pages/coupons.rs"),
        ),
        (
            include_str!("../../../docs/migrate/tower-sessions.md"),
            include_str!("pages/tower_sessions.rs"),
        ),
        (
            include_str!("../../../docs/migrate/tower-sessions.md"),
            include_str!("pages/larder_session.rs"),
        ),
        (
            include_str!("../../../docs/migrate/tower-sessions.md"),
            include_str!("pages/both_sessions.rs"),
        ),
    ];
    for (page, program) in shown {
        assert!(page.contains(program), "the page has another program");
    }
    let page = include_str!("../../../docs/adding-a-backend.md");
    let laws = include_str!("pages/laws.rs");
    let (_, laws) = laws
        .split_once("use map_store::MapStore;")
        .expect("an import");
    assert!(page.contains(laws), "the page has other laws");
}
