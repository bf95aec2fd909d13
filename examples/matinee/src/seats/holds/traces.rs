//! Compares the Lua and the Rust of each program, at the edges of deadlines.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use larder::moka::MokaStore;
use larder::redis::RedisStore;
use larder::store::ManualClock;
use larder::store::program::Program;
use larder_test::server::RedisServer;
use larder_test::trace::{Fault, Pair, Step, Traces, after};

use super::*;

const SPANS: [i64; 4] = [1, 1_000, 1_500_001, 300_000_000];

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

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let holder: Arc<str> = ["7", "1 0", "42"][rng.usize(..3)].into();
    let seats = (0..rng.usize(..4)).map(|_| Seat {
        row: rng.u8(1..3),
        number: [1, 2, 12][rng.usize(..3)],
    });
    let seats: BTreeSet<Seat> = seats.collect();
    let span = SPANS[rng.usize(..SPANS.len())];
    match rng.u8(..10) {
        0..=4 => {
            let hold = HoldSeats {
                holder,
                span,
                cap: rng.i64(1..4),
                seats,
            };
            after(hold, vec![span])
        }
        5 | 6 => {
            let secure = SecureSeats {
                holder,
                span,
                seats,
            };
            after(secure, vec![span])
        }
        7 | 8 => after(ReleaseSeats { holder, seats }, vec![]),
        _ => after(ReadHolds, vec![]),
    }
}

#[tokio::test]
async fn the_programs_on_holds_do_the_same_in_lua_and_in_rust() {
    let server = RedisServer::start().unwrap();
    let traces = Traces::new(20, 500, async || pair(&server).await);
    traces.agree::<HoldsRecord, _>(|| next).await;
}

#[tokio::test]
async fn every_planted_fault_in_the_lua_is_caught() {
    let server = RedisServer::start().unwrap();
    let faults: &[Fault] = &[
        (HoldSeats::SCRIPT, "now >= ends", "now > ends"),
        (HoldSeats::SCRIPT, "if #taken > 1 then return taken end", ""),
        (HoldSeats::SCRIPT, "mine + #new >", "#new >"),
        (HoldSeats::SCRIPT, "+ #new > tonumber", "+ #new >= tonumber"),
        (
            HoldSeats::SCRIPT,
            "last = math.max(last, ends)",
            "last = ends",
        ),
        (HoldSeats::SCRIPT, "if not holder then", "if true then"),
        (HoldSeats::SCRIPT, "answer[#answer + 1] = seat", ""),
        (SecureSeats::SCRIPT, "now >= ends", "now > ends"),
        (
            SecureSeats::SCRIPT,
            "if holder == ARGV[1] then",
            "if true then",
        ),
        (
            SecureSeats::SCRIPT,
            "math.max(mine[ARGV[at]], till)",
            "till",
        ),
        (
            SecureSeats::SCRIPT,
            "if not mine[ARGV[at]] then return 0 end",
            "",
        ),
        (ReleaseSeats::SCRIPT, "holder == ARGV[1] and ", ""),
        (ReleaseSeats::SCRIPT, "now >= ends", "now > ends"),
        (ReleaseSeats::SCRIPT, "if ends > now then", "if true then"),
        (ReadHolds::SCRIPT, "now < tonumber", "now <= tonumber"),
    ];
    let traces = Traces::new(20, 500, async || pair(&server).await);
    traces.catch::<HoldsRecord, _>(|| next, faults).await;
}
