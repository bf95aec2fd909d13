//! Holds the Lua of each program against its Rust, on the edges of deadlines.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{Effect, ManualClock, Program, Programs, Record, Script, Store, Timestamp};
use larder_test::server::RedisServer;
use larder_test::trace::{Divergence, Pair, Sabotaged, Step, step, trace};

use crate::owner::{Enroll, OwnerRecord, ReadStanding, Revoke, Roster, Withdraw};
use crate::record::{
    Apply, Change, Create, Destroy, Left, Owner, Peek, Read, Rotate, SessionRecord, SignIn, Touch,
    Whose,
};
use crate::token::DeviceId;

const SPANS: [i64; 4] = [1, 1_000, 1_500_001, 60_000_000];

async fn pair(server: &RedisServer) -> Pair {
    let clock = ManualClock::default();
    let rust: Arc<dyn Store> = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
    let lua = RedisStore::builder(&server.url())
        .with_virtual_time(clock.clone())
        .with_deadline(std::time::Duration::from_secs(10))
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

fn hash(rng: &mut Rng) -> [u8; 32] {
    [rng.u8(1..4); 32]
}

fn user(rng: &mut Rng) -> Arc<str> {
    ["ada", "grace"][rng.usize(..2)].into()
}

fn span(rng: &mut Rng) -> i64 {
    SPANS[rng.usize(..SPANS.len())]
}

fn bytes(rng: &mut Rng) -> Bytes {
    let texts = [
        "i5",
        "i-7",
        "mtext",
        "i9007199254740990",
        "i-9007199254740992",
        "i",
        "i-",
        "m",
        "",
    ];
    Bytes::from_static(texts[rng.usize(..texts.len())].as_bytes())
}

fn change(rng: &mut Rng) -> Change {
    match rng.u8(..8) {
        0 | 1 => Change::Set(bytes(rng)),
        2 => Change::Remove,
        3 => Change::Discard(bytes(rng)),
        4 => Change::Add([1, -1, 3, 9_007_199_254_740_991, -9_007_199_254_740_992][rng.usize(..5)]),
        5 => Change::Swap(None, bytes(rng)),
        _ => Change::Swap(Some(bytes(rng)), bytes(rng)),
    }
}

fn session_step(rng: &mut Rng) -> Box<dyn Step> {
    let (idle, absolute) = (span(rng), span(rng));
    match rng.u8(..16) {
        0 | 1 => step(Read, |stored, _| match stored {
            None => Vec::new(),
            Some(stored) => [stored.about.idle_at, stored.about.absolute_at]
                .map(Timestamp::from_micros)
                .to_vec(),
        }),
        2 => after(Left, Vec::new()),
        3 | 4 => {
            let touch = [0, 1, 500, 1_000_000][rng.usize(..4)];
            after(Touch { idle, touch }, vec![idle])
        }
        5..=8 => {
            let names = ["a", "b", "c", "larder.device"];
            let changes = names[..rng.usize(..5)].iter();
            let changes = changes.map(|name| ((*name).into(), change(rng))).collect();
            let apply = Apply {
                era: rng.i64(1..4),
                idle,
                max_weight: 120,
                changes,
            };
            after(apply, vec![idle])
        }
        9..=11 => {
            let owner = rng.bool().then(|| (user(rng), [rng.u8(..2); 16]));
            let names = ["a", "b", "larder.device"];
            let fields = names[..rng.usize(..4)].iter();
            let create = Create {
                hash: hash(rng),
                idle,
                absolute,
                owner,
                fields: fields.map(|name| ((*name).into(), bytes(rng))).collect(),
            };
            after(create, vec![idle, absolute])
        }
        12 | 13 => {
            let sign_in = rng.bool().then(|| SignIn {
                user: user(rng),
                epoch: [rng.u8(..2); 16],
                absolute,
            });
            let grace = [0, 1, 1_500][rng.usize(..3)];
            let rotate = Rotate {
                from: hash(rng),
                to: hash(rng),
                idle,
                grace,
                sign_in,
            };
            after(rotate, vec![idle, absolute, grace])
        }
        14 => after(Peek, Vec::new()),
        _ => {
            let whose = match rng.u8(..3) {
                0 => Whose::Anybodys,
                1 => Whose::Of(user(rng)),
                _ => Whose::OfBefore(user(rng), [rng.u8(..2); 16]),
            };
            after(Destroy { whose }, Vec::new())
        }
    }
}

fn device(rng: &mut Rng) -> DeviceId {
    // The first characters differ in case: text is to be compared by its bytes.
    let texts = ["aaaa", "AAAA", "zzzz", "____", "----", "0000"];
    let text = format!("{}aaaaaaaaaaaaaaaaaA", texts[rng.usize(..texts.len())]);
    DeviceId::parse(text.as_bytes()).unwrap()
}

fn owner_step(rng: &mut Rng) -> Box<dyn Step> {
    match rng.u8(..10) {
        0..=3 => {
            let life = span(rng);
            let enroll = Enroll {
                session: device(rng),
                epoch: [rng.u8(..3); 16],
                life,
                cap: rng.i64(1..4),
            };
            after(enroll, vec![life])
        }
        4 | 5 => after(ReadStanding, Vec::new()),
        6 => after(Roster, Vec::new()),
        7 => after(
            Withdraw((0..rng.usize(..3)).map(|_| device(rng)).collect()),
            Vec::new(),
        ),
        _ => {
            let by = rng.bool().then(|| {
                let owner = Owner {
                    user: user(rng),
                    epoch: [rng.u8(..3); 16],
                    since: 0,
                };
                (device(rng), owner)
            });
            let revoke = Revoke {
                epoch: [rng.u8(..3); 16],
                spared: rng.bool().then(|| device(rng)),
                by,
            };
            after(revoke, Vec::new())
        }
    }
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
    holds::<SessionRecord>(session_step).await;
}

#[tokio::test]
async fn the_programs_on_a_user_do_the_same_in_lua_and_in_rust() {
    holds::<OwnerRecord>(owner_step).await;
}

/// Runs the traces with one change in one script, and tells whether any of them saw it.
async fn is_caught<R: Record>(
    server: &RedisServer,
    script: &'static Script,
    (from, to): (&str, &str),
    next: fn(&mut Rng) -> Box<dyn Step>,
) -> Option<Box<Divergence>> {
    assert!(script.lua().contains(from), "{}: {from}", script.name());
    let lua: &'static str = script.lua().replacen(from, to, 1).leak();
    for seed in 1_000..1_020 {
        let mut pair = pair(server).await;
        let mut broken = Script::new(script.name(), Effect::Once, lua);
        if script.is_run_when_full() {
            broken = broken.runs_when_full();
        }
        let sabotaged: Arc<dyn Programs> = Arc::new(Sabotaged::new(pair.lua, broken));
        pair.lua = sabotaged;
        if let Err(divergence) = trace::<R>(&pair, seed, 500, next).await {
            return Some(divergence);
        }
    }
    None
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_is_caught() {
    let server = RedisServer::start().unwrap();
    let sessions: &[(&'static Script, (&str, &str))] = &[
        (
            Read::SCRIPT,
            ("'GET', KEYS[1]", "'GETRANGE', KEYS[1], 0, 120"),
        ),
        (Left::SCRIPT, ("left(KEYS[1])", "left(KEYS[1]) + 1")),
        (Touch::SCRIPT, ("now - seen <", "now - seen <=")),
        (Touch::SCRIPT, ("now >= absolute_at", "now > absolute_at")),
        (
            Touch::SCRIPT,
            (
                "math.min(tonumber(idle), absolute_at - now)",
                "tonumber(idle)",
            ),
        ),
        (
            Touch::SCRIPT,
            ("'SETRANGE', KEYS[1], 33", "'SETRANGE', KEYS[1], 32"),
        ),
        (Apply::SCRIPT, (" or s.era ~= tonumber(ARGV[1])", "")),
        (
            Apply::SCRIPT,
            ("now < s.absolute_at", "now <= s.absolute_at"),
        ),
        (
            Apply::SCRIPT,
            ("9007199254740992 - by", "9007199254740993 - by"),
        ),
        (Apply::SCRIPT, (" and s.weight > before", "")),
        (
            Apply::SCRIPT,
            ("if old ~= with then return {2, old or false} end", ""),
        ),
        (
            Apply::SCRIPT,
            ("if old == with then new = nil end", "new = nil"),
        ),
        (Create::SCRIPT, ("s.hash == ARGV[1] and 1 or 0", "1")),
        (
            Rotate::SCRIPT,
            ("if s.hash ~= ARGV[1] then return false end", ""),
        ),
        (
            Rotate::SCRIPT,
            ("if s.user then s.names, s.weight = {}, 0 end", ""),
        ),
        (
            Rotate::SCRIPT,
            ("s.hash, s.old = ARGV[2], nil", "s.hash = ARGV[2]"),
        ),
        (
            Destroy::SCRIPT,
            ("(s.user ~= ARGV[1] or", "(s.user and s.user ~= ARGV[1] or"),
        ),
        (Destroy::SCRIPT, (" or s.epoch == ARGV[2]", "")),
    ];
    for &(script, fault) in sessions {
        let caught = is_caught::<SessionRecord>(&server, script, fault, session_step).await;
        assert!(caught.is_some(), "{}: {fault:?} went unseen", script.name());
    }
    let owners: &[(&'static Script, (&str, &str))] = &[
        (Enroll::SCRIPT, ("math.max(tonumber(latest), ends)", "ends")),
        (Enroll::SCRIPT, ("now < ends", "now <= ends")),
        (Enroll::SCRIPT, ("return a < b", "return a > b")),
        (
            ReadStanding::SCRIPT,
            ("'HGET', KEYS[1], 'e'", "'HGET', KEYS[1], 'x'"),
        ),
        (Revoke::SCRIPT, (" and spared ~= ARGV[3]", "")),
        (Revoke::SCRIPT, ("ARGV[1] .. ARGV[2]", "ARGV[1] .. spared")),
    ];
    for &(script, fault) in owners {
        let caught = is_caught::<OwnerRecord>(&server, script, fault, owner_step).await;
        assert!(caught.is_some(), "{}: {fault:?} went unseen", script.name());
    }
}
