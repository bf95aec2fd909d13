//! Compares the Lua of each program with its Rust, just before and after deadlines.

mod everyone;
mod faults;
mod session;
mod user;

use std::sync::Arc;

use fastrand::Rng;
use larder_worlds::traces::holds;

use crate::everyone_record::EveryoneRecord;
use crate::session_record::SessionRecord;
use crate::user_record::UserRecord;

const SEEDS_AND_STEPS: (u64, usize) = (40, 250);

/// The spans that a trace draws from: with short ones few sessions live for more than a step.
const SPANS: [&[i64]; 3] = [
    &[1, 1_000, 1_500_001, 60_000_000],
    &[1, 1_500_001, 60_000_000],
    &[1_500_001, 60_000_000],
];

fn user(rng: &mut Rng) -> Arc<str> {
    ["ada", "grace"][rng.usize(..2)].into()
}

fn span(rng: &mut Rng) -> i64 {
    one_of(rng, SPANS[0])
}

fn one_of(rng: &mut Rng, spans: &[i64]) -> i64 {
    spans[rng.usize(..spans.len())]
}

#[tokio::test]
async fn the_programs_on_a_session_do_the_same_in_lua_and_in_rust() {
    holds::<SessionRecord, _>(SEEDS_AND_STEPS, session::next).await;
}

#[tokio::test]
async fn the_programs_on_a_user_do_the_same_in_lua_and_in_rust() {
    holds::<UserRecord, _>(SEEDS_AND_STEPS, || user::next).await;
}

#[tokio::test]
async fn the_programs_on_everyone_do_the_same_in_lua_and_in_rust() {
    holds::<EveryoneRecord, _>(SEEDS_AND_STEPS, || everyone::next).await;
}
