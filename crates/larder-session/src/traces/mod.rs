//! Holds the Lua of each program against its Rust, on the edges of deadlines.

mod everyone;
mod faults;
mod session;
mod user;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::ManualClock;
use larder_store::program::Record;
use larder_test::server::RedisServer;
use larder_test::trace::{Pair, Step, Traces};

use crate::everyone_record::EveryoneRecord;
use crate::session_record::SessionRecord;
use crate::user_record::UserRecord;

const SPANS: [i64; 4] = [1, 1_000, 1_500_001, 60_000_000];

async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust = MokaStore::builder().with_clock(clock.clone()).build();
    let lua = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_timeout(Duration::from_secs(10))
        .connect()
        .await
        .unwrap();
    Pair::new(clock, rust, lua)
}

fn user(rng: &mut Rng) -> Arc<str> {
    ["ada", "grace"][rng.usize(..2)].into()
}

fn span(rng: &mut Rng) -> i64 {
    SPANS[rng.usize(..SPANS.len())]
}

async fn holds<R: Record>(next: fn(&mut Rng) -> Box<dyn Step>) {
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(20, 500, async || pair(&server).await);
    traces.agree::<R, _>(|| next).await;
}

#[tokio::test]
async fn the_programs_on_a_session_do_the_same_in_lua_and_in_rust() {
    holds::<SessionRecord>(session::next).await;
}

#[tokio::test]
async fn the_programs_on_a_user_do_the_same_in_lua_and_in_rust() {
    holds::<UserRecord>(user::next).await;
}

#[tokio::test]
async fn the_programs_on_everyone_do_the_same_in_lua_and_in_rust() {
    holds::<EveryoneRecord>(everyone::next).await;
}
