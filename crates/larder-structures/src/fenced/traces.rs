use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::Program;
use larder_test::trace::{Step, step};

use super::record::{FencedValue, GetFenced, PutFenced};
use crate::traces::{after, catches, holds, long_ttl, ttl};

fn next(rng: &mut Rng) -> Box<dyn Step> {
    if rng.bool() {
        return step(GetFenced, |_, _| Vec::new());
    }
    let (life, memory) = (ttl(rng), long_ttl(rng));
    let put = PutFenced {
        fence: rng.i64(1..6) + (1 << 50),
        life_us: life.as_micros(),
        memory: memory.max(life),
        value: [
            Bytes::new(),
            Bytes::from_static(b" \0\n 7 8 "),
            Bytes::from_static(b"ready"),
        ][rng.usize(..3)]
        .clone(),
    };
    after(put, vec![life, memory])
}

#[tokio::test]
async fn the_programs_on_a_fenced_value_do_the_same_in_lua_and_in_rust() {
    holds::<FencedValue>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_fenced_value_is_caught() {
    catches::<FencedValue>(
        next,
        &[
            (
                PutFenced::SCRIPT,
                "> tonumber(ARGV[1])",
                ">= tonumber(ARGV[1])",
            ),
            (
                PutFenced::SCRIPT,
                "then return {0, num(newest)} end",
                "then return {0, ARGV[1]} end",
            ),
            (PutFenced::SCRIPT, "if newest and", "if false and"),
            (PutFenced::SCRIPT, "tonumber(ARGV[2])", "tonumber(ARGV[3])"),
            (
                PutFenced::SCRIPT,
                "ARGV[4], ARGV[3])",
                "ARGV[4], ARGV[2] / 1000)",
            ),
            (PutFenced::SCRIPT, "num(now() + ", "tostring(now() + "),
            (GetFenced::SCRIPT, "<= now()", "< now()"),
            (GetFenced::SCRIPT, "(%d+) (%d+) ()", "(%d+) (%d+)%s+()"),
            (
                GetFenced::SCRIPT,
                "string.sub(text, value)",
                "string.match(text, '%S*$')",
            ),
        ],
    )
    .await;
}
