//! The rate limit: exact in both forms, and every mistake that was made on purpose is found.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_rate_limit::{Decision, Gcra, Peek, Quota, Refund, Tat};
use larder_store::program::{Effect, Program, Programs, Script};
use larder_store::{Key, Timestamp};
use larder_test::trace::{Divergence, Observed, Pair, Sabotaged, Step, step, trace};

use super::pair::pair;

const SEEDS: std::ops::Range<u64> = 1..7;
const STEPS: usize = 400;

/// A step of one of a few limits, all on the same records: a quota may change between deployments.
fn next(rng: &mut fastrand::Rng) -> Box<dyn Step> {
    let quota = match rng.u8(..6) {
        0 => Quota::per_second(3),
        1 => Quota::per_second(3).with_burst(1),
        2 => Quota::per_minute(7).with_burst(4),
        3 => Quota::new(50, Duration::from_micros(50)),
        _ => Quota::per_second(10),
    };
    let cost = rng.u32(1..=quota.burst().min(2));
    let gcra = Gcra::new(quota, cost).expect("a limit");
    match rng.u8(..10) {
        0..2 => step(Peek(gcra), deadlines),
        2..5 => GiveBack::draw(gcra, quota, cost, rng),
        _ => step(gcra, deadlines),
    }
}

/// A refund of what would be paid off around the edges of a charge, seen from whenever it comes.
struct GiveBack {
    gcra: Gcra,
    ahead: i64,
}

impl GiveBack {
    fn draw(gcra: Gcra, quota: Quota, cost: u32, rng: &mut fastrand::Rng) -> Box<dyn Step> {
        let charge = i64::try_from(quota.interval().as_micros()).expect("short") * i64::from(cost);
        let ahead = match rng.u8(..4) {
            0 => rng.i64(-1..=1),
            1 => charge + rng.i64(-1..=1),
            _ => rng.i64(..charge * 3),
        };
        Box::new(Self { gcra, ahead })
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

/// When something changes: the refused may come again, the record is as if it had never been.
fn deadlines(decision: &Decision, now: Timestamp) -> Vec<Timestamp> {
    let after = |span: Duration| now.plus_micros(i64::try_from(span.as_micros()).unwrap_or(0));
    vec![after(decision.retry_after()), after(decision.reset())]
}

async fn run(pair: &Pair) -> Result<(), Box<Divergence>> {
    for seed in SEEDS {
        trace::<Tat>(pair, seed, STEPS, next).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_rust_and_the_lua_of_the_rate_limit_agree_on_every_edge() {
    let (_server, pair) = pair().await;
    if let Err(divergence) = run(&pair).await {
        panic!("{divergence}");
    }
}

/// Mistakes that somebody could make in `gcra.lua`, each as what is replaced by what.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("refuses at the edge", "wait > 0", "wait >= 0"),
    ("passes one microsecond early", "wait > 0", "wait > 1"),
    ("keeps fourteen digits", "num(charged)", "tostring(charged)"),
    (
        "ends a millisecond early",
        "(charged - now + 999) / 1000",
        "(charged - now) / 1000",
    ),
    (
        "counts the TTL in seconds",
        "(charged - now + 999) / 1000",
        "(charged - now + 999) / 1000000",
    ),
    (
        "forgets the TTL",
        "put(KEYS[1], num(charged), math.floor((charged - now + 999) / 1000))",
        "redis.call('SET', KEYS[1], num(charged))",
    ),
    (
        "does not floor what remains",
        "return {1, math.floor((tolerance - (charged - now)) / interval)",
        "return {1, math.floor((tolerance - (charged - now)) / interval + 0.5)",
    ),
    (
        "charges a refusal",
        "if wait > 0 then",
        "if wait > 0 then put(KEYS[1], num(charged), 60000)",
    ),
    (
        "has the burst off by one",
        "local interval, tolerance, charge = ARGV[1] + 0, ARGV[2] + 0",
        "local interval, tolerance, charge = ARGV[1] + 0, ARGV[2] - ARGV[1]",
    ),
    (
        "forgets what was charged before",
        "kept = text + 0",
        "kept = now",
    ),
    ("credits idle time", "if kept < now then kept = now end", ""),
    (
        "tells the wait from the wrong moment",
        "wait, tat - now, 0}",
        "wait + 1, tat - now, 0}",
    ),
    (
        "reads its own clock",
        "local now = now()",
        "local t = redis.call('TIME'); local now = t[1] * 1000000 + t[2]",
    ),
    (
        "never forgives a smaller burst",
        "if tat > now + tolerance then tat = now + tolerance end",
        "",
    ),
    (
        "tells to the wrong moment what may be given back",
        "charged - now, charged}",
        "charged - now, tat}",
    ),
];

/// The same in `refund.lua`.
const MISTAKES_OF_REFUNDS: &[(&str, &str, &str)] = &[
    (
        "gives back what time has given back",
        "tonumber(ARGV[4]) - now",
        "charge",
    ),
    (
        "gives back more than was charged",
        "math.max(tonumber(ARGV[4]) - now, 0), charge)",
        "math.max(tonumber(ARGV[4]) - now, 0), tolerance)",
    ),
    (
        "charges what was paid off",
        "math.max(tonumber(ARGV[4]) - now, 0)",
        "tonumber(ARGV[4]) - now",
    ),
    ("saves up for later", "- back, now)", "- back, 0)"),
    (
        "never forgives a smaller burst",
        "if tat > now + tolerance then tat = now + tolerance end",
        "",
    ),
    ("forgets the rest", "tat == now or tat < kept", "tat == now"),
    (
        "forgets the visitor",
        "if latest > now then",
        "if false then",
    ),
    (
        "keeps a visitor that owes nothing",
        "if latest > now then",
        "if true then",
    ),
    ("keeps fourteen digits", "num(tat)", "tostring(tat)"),
    (
        "ends a millisecond early",
        "(latest - now + 999) / 1000",
        "(latest - now) / 1000",
    ),
    (
        "forgets the TTL",
        "put(KEYS[1], text, math.floor((latest - now + 999) / 1000))",
        "redis.call('SET', KEYS[1], text)",
    ),
    (
        "tells what would pass from the wrong edge",
        "if wait > 0",
        "if wait >= 0",
    ),
    (
        "does not tell that the next one waits",
        "if wait > 0",
        "if false",
    ),
    (
        "lets itself be given back",
        "return {1, remaining, 0, tat - now, 0}",
        "return {1, remaining, 0, tat - now, tat}",
    ),
    (
        "reads its own clock",
        "local now = now()",
        "local t = redis.call('TIME'); local now = t[1] * 1000000 + t[2]",
    ),
];

#[tokio::test]
async fn every_mistake_in_the_lua_of_the_rate_limit_is_found_by_a_trace() {
    let (_server, pair) = pair().await;
    for (script, mistakes) in [
        (Gcra::SCRIPT, MISTAKES),
        (Refund::SCRIPT, MISTAKES_OF_REFUNDS),
    ] {
        for (mistake, correct, wrong) in mistakes {
            let broken = script.lua().replace(correct, wrong);
            assert_ne!(
                broken,
                script.lua(),
                "'{mistake}' changes nothing: its text is out of date"
            );
            assert!(
                found(&pair, script, Effect::Once, broken).await,
                "no trace finds that {} {mistake}",
                script.name()
            );
        }
    }
}

#[tokio::test]
async fn a_program_that_says_that_it_only_reads_is_refused_its_writes() {
    let (_server, pair) = pair().await;
    for script in [Gcra::SCRIPT, Refund::SCRIPT] {
        assert!(found(&pair, script, Effect::Read, script.lua().to_owned()).await);
    }
}

/// Whether a trace tells `lua`, in the place of `script`, from the Rust form.
async fn found(pair: &Pair, script: &Script, effect: Effect, lua: String) -> bool {
    let script = Script::new(script.name(), effect, lua.leak());
    // Records of an earlier mistake are in the past, as every key is, an hour on.
    pair.clock.advance(Duration::from_secs(3600));
    let broken = Pair {
        clock: pair.clock.clone(),
        rust: pair.rust.clone(),
        lua: Arc::new(Sabotaged::new(pair.lua.clone(), script)),
    };
    run(&broken).await.is_err()
}
