//! Holds the Lua of each program against its Rust, on the edges of deadlines.

mod faults;
mod session;
mod user;

use std::fmt::Debug;
use std::sync::Arc;

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::program::{Program, Record};
use larder_store::{ManualClock, Store, Timestamp};
use larder_test::server::RedisServer;
use larder_test::trace::{Pair, Step, step, trace};

use crate::record::SessionRecord;
use crate::users::UserRecord;

const SPANS: [i64; 4] = [1, 1_000, 1_500_001, 60_000_000];

async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust: Arc<dyn Store> = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
    let lua = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_timeout(std::time::Duration::from_secs(10))
        .connect()
        .await
        .unwrap();
    let lua: Arc<dyn Store> = Arc::new(lua);
    Pair {
        clock,
        rust: rust.programs().unwrap(),
        lua: lua.programs().unwrap(),
    }
}

fn after<P>(program: P, spans: Vec<i64>) -> Box<dyn Step>
where
    P: Program + Debug + 'static,
    P::Reply: Debug,
{
    step(program, move |_, now: Timestamp| {
        spans.iter().map(|span| now.plus_micros(*span)).collect()
    })
}

fn user(rng: &mut Rng) -> Arc<str> {
    ["ada", "grace"][rng.usize(..2)].into()
}

fn span(rng: &mut Rng) -> i64 {
    SPANS[rng.usize(..SPANS.len())]
}

async fn holds<R: Record>(next: fn(&mut Rng) -> Box<dyn Step>) {
    let server = RedisServer::start().unwrap();
    for seed in 0..20 {
        let pair = pair(&server).await;
        if let Err(divergence) = trace::<R>(&pair, seed, 500, next).await {
            panic!("{divergence}");
        }
    }
}

#[tokio::test]
async fn the_programs_on_a_session_do_the_same_in_lua_and_in_rust() {
    holds::<SessionRecord>(session::next).await;
}

#[tokio::test]
async fn the_programs_on_a_user_do_the_same_in_lua_and_in_rust() {
    holds::<UserRecord>(user::next).await;
}
