//! Charges and refunds on the record of a single quota, in Lua and in Rust.

use async_trait::async_trait;
use fastrand::Rng;
use larder_store::program::{Program, Programs, Script};
use larder_store::{Key, Timestamp};
use larder_test::trace::{Observed, Step, step};
use larder_worlds::traces::{catches, holds};

use super::{Peek, Refund, Tat, deadlines};
use crate::{Gcra, Quota};

const SEEDS_AND_STEPS: (u64, usize) = (6, 400);

/// A step of one of a few limits, all on the same records: a quota may change between deployments.
fn next(rng: &mut Rng) -> Box<dyn Step> {
    let quota = match rng.u8(..6) {
        0 => Quota::per_second(3),
        1 => Quota::per_second(3).with_burst(1),
        2 => Quota::per_minute(7).with_burst(4),
        3 => Quota::new(50, std::time::Duration::from_micros(50)),
        _ => Quota::per_second(10),
    };
    let gcra = Gcra::new(quota, rng.u32(1..=quota.burst().min(2))).unwrap();
    match rng.u8(..10) {
        0..2 => step(Peek(gcra), deadlines),
        2..5 => Box::new(GiveBack::draw(gcra, rng)),
        _ => step(gcra, deadlines),
    }
}

/// A refund of what would be paid off around the edges of a charge, seen from whenever it comes.
struct GiveBack {
    gcra: Gcra,
    ahead: i64,
}

impl GiveBack {
    fn draw(gcra: Gcra, rng: &mut Rng) -> Self {
        let ahead = match rng.u8(..4) {
            0 => rng.i64(-1..=1),
            1 => gcra.charge + rng.i64(-1..=1),
            _ => rng.i64(..gcra.charge * 3),
        };
        Self { gcra, ahead }
    }
}

#[async_trait]
impl Step for GiveBack {
    fn name(&self) -> &str {
        "give back"
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        let refund = Refund::new(self.gcra, now.plus_micros(self.ahead));
        step(refund, deadlines).run(programs, key, now).await
    }
}

#[tokio::test]
async fn a_charge_and_a_refund_do_the_same_in_lua_and_in_rust() {
    holds::<Tat, _>(SEEDS_AND_STEPS, || next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_charge_is_caught() {
    let faults = [
        // It decides at the wrong moment.
        ("wait > 0", "wait >= 0"),
        ("wait > 0", "wait > 1"),
        ("ARGV[2] + 0, ARGV[3]", "ARGV[2] - ARGV[1], ARGV[3]"),
        ("local now = now()", OWN_CLOCK),
        // It forgets, or credits time in which nobody came.
        ("kept = text + 0", "kept = now"),
        ("if kept < now then kept = now end", ""),
        (FORGIVING, ""),
        (
            "if wait > 0 then",
            "if wait > 0 then put(KEYS[1], num(charged), 60000)",
        ),
        // The record is inexact, or ends at another moment.
        ("num(charged)", "tostring(charged)"),
        ("(charged - now + 999) / 1000", "(charged - now) / 1000"),
        (
            "(charged - now + 999) / 1000",
            "(charged - now + 999) / 1000000",
        ),
        (
            "put(KEYS[1], num(charged), math.floor((charged - now + 999) / 1000))",
            "redis.call('SET', KEYS[1], num(charged))",
        ),
        // It answers something else than it did.
        (
            "(charged - now)) / interval)",
            "(charged - now)) / interval + 0.5)",
        ),
        ("wait, tat - now, 0}", "wait + 1, tat - now, 0}"),
        ("charged - now, charged}", "charged - now, tat}"),
    ];
    each_is_caught(Gcra::SCRIPT, &faults).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_refund_is_caught() {
    let faults = [
        // It gives back too much, or charges.
        ("tonumber(ARGV[4]) - now", "charge"),
        ("- now, 0), charge)", "- now, 0), tolerance)"),
        (
            "math.max(tonumber(ARGV[4]) - now, 0)",
            "tonumber(ARGV[4]) - now",
        ),
        ("- back, now)", "- back, 0)"),
        (FORGIVING, ""),
        ("local now = now()", OWN_CLOCK),
        // The record is lost, stays too long, is inexact, or ends at another moment.
        ("tat == now or tat < kept", "tat == now"),
        ("if latest > now then", "if false then"),
        ("if latest > now then", "if true then"),
        ("num(tat)", "tostring(tat)"),
        ("(latest - now + 999) / 1000", "(latest - now) / 1000"),
        (
            "put(KEYS[1], text, math.floor((latest - now + 999) / 1000))",
            "redis.call('SET', KEYS[1], text)",
        ),
        // It answers something else than it did.
        ("if wait > 0", "if wait >= 0"),
        ("if wait > 0", "if false"),
        (
            "{1, remaining, 0, tat - now, 0}",
            "{1, remaining, 0, tat - now, tat}",
        ),
    ];
    each_is_caught(Refund::SCRIPT, &faults).await;
}

/// Plants each fault on a server of its own, on which no earlier one has left a record.
async fn each_is_caught(script: &'static Script, faults: &[(&'static str, &'static str)]) {
    for (from, to) in faults {
        catches::<Tat, _>(SEEDS_AND_STEPS, || next, &[(script, from, to)]).await;
    }
}

/// A smaller burst than that of an earlier deployment forgives what goes beyond it.
const FORGIVING: &str = "if tat > now + tolerance then tat = now + tolerance end";

const OWN_CLOCK: &str = "local t = redis.call('TIME'); local now = t[1] * 1000000 + t[2]";
