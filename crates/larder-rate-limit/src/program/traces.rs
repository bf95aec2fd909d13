//! The support desk on the record of a single quota, in Lua and in Rust.

mod charges;

use fastrand::Rng;
use larder_store::Timestamp;
use larder_store::program::Program;
use larder_test::trace::{Step, step};
use larder_worlds::traces::{catches, holds};

use super::{DeskTat, Peek, Refund, Tat};
use crate::usage::Task;
use crate::{Decision, Gcra, Quota};

const SEEDS_AND_STEPS: (u64, usize) = (6, 300);

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let quota = [Quota::per_second(3), Quota::per_second(2).with_burst(5)][rng.usize(..2)];
    let gcra = Gcra::new(quota, 1).unwrap();
    let span = [1, 400_000, 2_000_000][rng.usize(..3)];
    match rng.u8(..10) {
        0..4 => step(gcra, deadlines),
        4 => step(Peek(gcra), deadlines),
        5 => {
            // Around the time at which traces begin.
            let paid_off = 1_767_225_600_000_000 + rng.i64(0..2_000_000);
            step(
                Refund::new(gcra, Timestamp::from_micros(paid_off)),
                deadlines,
            )
        }
        _ => {
            let task = match rng.u8(..6) {
                0 | 1 => Task::Set(rng.i64(0..7)),
                2 => Task::Reset,
                3 | 4 => Task::Ban(span),
                _ => Task::Forgive,
            };
            step(DeskTat { gcra, task }, deadlines)
        }
    }
}

fn deadlines(decision: &Decision, now: Timestamp) -> Vec<Timestamp> {
    let spans = [decision.retry_after_us, decision.reset_us];
    spans.map(|span| now.plus_micros(span)).to_vec()
}

#[tokio::test]
async fn the_support_desk_of_a_quota_does_the_same_in_lua_and_in_rust() {
    holds::<Tat, _>(SEEDS_AND_STEPS, || next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_the_support_desk_is_caught() {
    let faults = [
        (
            DeskTat::SCRIPT,
            "math.min(by * interval, tolerance)",
            "by * interval",
        ),
        (DeskTat::SCRIPT, "tat, banned = now, 0", "tat = now"),
        (DeskTat::SCRIPT, "banned = now + by", "banned = by"),
        (DeskTat::SCRIPT, "math.max(tat, banned)\n", "tat\n"),
        (Refund::SCRIPT, "math.max(tat, banned)\n", "tat\n"),
        (
            Refund::SCRIPT,
            "if banned > now then text",
            "if false then text",
        ),
        (
            DeskTat::SCRIPT,
            "if banned > now then text",
            "if false then text",
        ),
        (DeskTat::SCRIPT, "(latest - now + 999)", "(latest - now)"),
        (
            Gcra::SCRIPT,
            "if banned > now then",
            "if banned >= now + 1000 then",
        ),
        (Gcra::SCRIPT, "if banned > now then", "if false then"),
        (Refund::SCRIPT, "if banned > now then", "if false then"),
        (
            Peek::SCRIPT,
            "math.max(tat, banned) - now, banned",
            "tat - now, banned",
        ),
        (
            Gcra::SCRIPT,
            "math.max(banned, tat + charge - tolerance)",
            "banned",
        ),
        (Peek::SCRIPT, "banned - now}", "0}"),
    ];
    catches::<Tat, _>(SEEDS_AND_STEPS, || next, &faults).await;
}
