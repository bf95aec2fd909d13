use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use larder_store::program::{Call, Calls, Program, Programs, Record, Wire};
use larder_store::wait::Waits;
use larder_store::{Error, ErrorKind, Key, ManualClock, Result, Store, Timestamp};
use larder_test::server::RedisServer;
use larder_test::trace::{Observed, Step, step};
use larder_worlds::traces::pair;
use tokio::time::Instant;

use super::permits::{Acquire, InspectPermits, Leave, Permits, Release, Renew};
use crate::traces::{catches, holds};

const SPANS: [i64; 5] = [1, 1_000, 1_001, 1_500_001, 60_000_000];

fn span(rng: &mut Rng) -> i64 {
    SPANS[rng.usize(..SPANS.len())]
}

fn next(rng: &mut Rng) -> Box<dyn Step> {
    let owner = rng.i64(1..5);
    match rng.u8(..10) {
        0 => step(Leave { owner }, |(), _| Vec::new()),
        1..4 => Box::new(OnHolder {
            nth: rng.usize(..2),
            hold_us: (rng.u8(..3) > 0).then(|| span(rng)),
        }),
        _ => {
            let acquire = Acquire {
                owner,
                hold_us: span(rng),
                permits: [1, 1, 2][rng.usize(..3)],
                place_us: [0, -1, span(rng), span(rng)][rng.usize(..4)],
                longest_queue: 2,
            };
            let spans = [acquire.hold_us, acquire.place_us.max(0)];
            step(acquire, move |_, now| after(now, &spans))
        }
    }
}

fn after(now: Timestamp, spans: &[i64]) -> Vec<Timestamp> {
    spans.iter().map(|span| now.plus_micros(*span)).collect()
}

/// Renews or releases what the record shows as its `nth` holder.
struct OnHolder {
    nth: usize,
    /// Nothing to release.
    hold_us: Option<i64>,
}

#[async_trait]
impl Step for OnHolder {
    fn name(&self) -> &str {
        match self.hold_us {
            Some(_) => "renew",
            None => "release",
        }
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        let shown = programs.inspect::<Permits>(key).await.unwrap();
        let holders = shown.fields().iter();
        let mut fences = holders.filter_map(|(name, _)| name.split(' ').nth(1)?.parse().ok());
        let fence = fences.nth(self.nth).unwrap_or(7);
        match self.hold_us {
            Some(hold_us) => {
                let renew = step(Renew { fence, hold_us }, move |_, now| {
                    after(now, &[hold_us])
                });
                renew.run(programs, key, now).await
            }
            None => {
                let release = step(Release { fence }, |_, _| Vec::new());
                release.run(programs, key, now).await
            }
        }
    }
}

#[tokio::test]
async fn the_programs_on_a_lock_do_the_same_in_lua_and_in_rust() {
    holds::<Permits>(next).await;
}

#[tokio::test]
async fn every_fault_that_is_planted_in_the_lua_of_a_lock_is_caught() {
    catches::<Permits>(
        next,
        &[
            // The state that all of them share.
            (
                Acquire::SCRIPT,
                "if number(d) > at then held",
                "if number(d) >= at then held",
            ),
            (
                Acquire::SCRIPT,
                "if number(d) > at then queue",
                "if number(d) >= at then queue",
            ),
            (
                Acquire::SCRIPT,
                "+ 999) / 1000) + 60000",
                ") / 1000) + 60000",
            ),
            (Acquire::SCRIPT, "+ 60000", ""),
            (
                Acquire::SCRIPT,
                "latest = math.max(latest, it.ends)\n    places",
                "places",
            ),
            (
                Release::SCRIPT,
                "local latest, holders, places = at",
                "local latest, holders, places = 0",
            ),
            (
                Acquire::SCRIPT,
                "num(it.ends) .. ',' .. it.owner .. ';'\n  end\n  for",
                "it.ends .. ',' .. it.owner .. ';'\n  end\n  for",
            ),
            // The attempt.
            (
                Acquire::SCRIPT,
                "if it.owner == owner then return",
                "if false then return",
            ),
            (Acquire::SCRIPT, "num(it.ends - at)}", "num(it.ends)}"),
            (
                Acquire::SCRIPT,
                "if it.owner == owner then mine",
                "if false then mine",
            ),
            (Acquire::SCRIPT, "math.max(last + 1, at)", "at"),
            (
                Acquire::SCRIPT,
                "math.max(last + 1, at)",
                "math.max(last, at)",
            ),
            (Acquire::SCRIPT, "math.max(last + 1, at)", "last + 1"),
            (
                Acquire::SCRIPT,
                "if ahead < free then",
                "if ahead <= free then",
            ),
            (Acquire::SCRIPT, "permits - #held, 0", "1 - #held, 0"),
            (Acquire::SCRIPT, "if place ~= 0 then", "if place > 0 then"),
            (Acquire::SCRIPT, "(mine or #queue + 1) - 1", "#queue"),
            (
                Acquire::SCRIPT,
                "if mine then table.remove(queue, mine) end",
                "",
            ),
            (Acquire::SCRIPT, "#queue >= longest", "#queue > longest"),
            (Acquire::SCRIPT, "queue[mine].ends = at + place", ""),
            (
                Acquire::SCRIPT,
                "    queue[#queue + 1] = {ends = at + place, owner = owner}\n  end\n  keep()",
                "    queue[#queue + 1] = {ends = at + place, owner = owner}\n  end",
            ),
            (Acquire::SCRIPT, "for i = 1, ahead do", "for i = 1, 0 do"),
            (
                Acquire::SCRIPT,
                "if free > 0 then first",
                "if false then first",
            ),
            (
                Acquire::SCRIPT,
                "if free > 0 then first",
                "if free >= 0 then first",
            ),
            (
                Acquire::SCRIPT,
                "math.min(first or it.ends, it.ends)",
                "it.ends",
            ),
            // The rest.
            (InspectPermits::SCRIPT, "if ends > at and", "if"),
            (
                InspectPermits::SCRIPT,
                "if ends > at and",
                "if ends >= at and",
            ),
            (
                Renew::SCRIPT,
                "if num(it.fence) == ARGV[1] then",
                "if true then",
            ),
            (
                Renew::SCRIPT,
                "at + tonumber(ARGV[2])",
                "it.ends + tonumber(ARGV[2])",
            ),
            (Renew::SCRIPT, "    keep()\n", ""),
            (
                Release::SCRIPT,
                "if num(it.fence) == ARGV[1] then",
                "if true then",
            ),
            (Release::SCRIPT, "    keep()\n", ""),
            (
                Leave::SCRIPT,
                "if queue[i].owner == ARGV[1] then",
                "if false then",
            ),
            (
                Leave::SCRIPT,
                "if held[i].owner == ARGV[1] then",
                "if false then",
            ),
        ],
    )
    .await;
}

/// A store that receives the first attempt again, late, after its caller has heard that the lock is
/// taken: as after a connection was replaced. Renewals do not reach it.
struct Late {
    inner: Arc<dyn Programs>,
    clock: ManualClock,
    /// The fence of the first holder of the lock.
    fence: i64,
    calls: AtomicUsize,
}

#[async_trait]
impl Programs for Late {
    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => {
                self.inner.call(key, call).await?;
                let fence = self.fence;
                assert!(self.inner.run(key, &Release { fence }).await?);
                self.inner.call(key, call).await?;
                self.clock.advance(Duration::from_secs(20));
                call.reply(Wire::List(vec![Wire::Int(0); 3]))
            }
            1 => self.inner.call(key, call).await,
            _ => Err(Error::new(
                "run",
                ErrorKind::NotSent,
                "a test asked for this",
            )),
        }
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        self.inner.call_many(calls).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_counts_its_lease_from_the_attempt_that_took_the_lock() {
    let clock = ManualClock::default();
    let moka = larder_moka::MokaStore::builder().with_clock(clock.clone());
    let mut lock = super::Lock::new(Arc::new(moka.build()), "report").unwrap();
    let holder = lock.try_lock().await.unwrap().unwrap();
    lock.gate.programs = Arc::new(Late {
        inner: lock.gate.programs.clone(),
        clock,
        fence: holder.fence().as_u64() as i64,
        calls: AtomicUsize::new(0),
    });
    let began = Instant::now();
    let guard = lock.lock(Duration::from_secs(60)).await.unwrap().unwrap();
    guard.lost().await;
    // Twenty of the thirty seconds had passed.
    let told = began.elapsed();
    assert!(told <= Duration::from_secs(10), "{told:?}");
}

/// A step, and whether it wakes.
struct Case<P> {
    program: P,
    wakes: bool,
}

#[tokio::test]
async fn both_forms_wake_when_something_is_given_back_and_not_otherwise() {
    let server = RedisServer::start().unwrap();
    let pair = pair(&server).await;
    let acquire = |owner, place_us| Acquire {
        owner,
        hold_us: 60_000_000,
        permits: 1,
        place_us,
        longest_queue: 5,
    };
    let moka = larder_moka::MokaStore::builder()
        .with_clock(pair.clock.clone())
        .build();
    let moka = Arc::new(moka);
    let at = Wakes {
        lua: &*pair.lua,
        rust: moka.clone().programs().unwrap(),
        waits: moka.waits().unwrap(),
        server: &server,
        key: Key::new(Permits::KIND, 1_u32),
    };
    at.check(Case {
        program: acquire(1, 0),
        wakes: false,
    })
    .await;
    at.check(Case {
        program: acquire(2, 1_000),
        wakes: false,
    })
    .await;
    let fence = pair.lua.run(&at.key, &acquire(1, 0)).await.unwrap();
    let super::permits::Acquired::Held(fence, _) = fence else {
        panic!("{fence:?}")
    };
    let renew = |hold_us| Renew { fence, hold_us };
    at.check(Case {
        program: renew(70_000_000),
        wakes: false,
    })
    .await;
    at.check(Case {
        program: renew(50_000_000),
        wakes: true,
    })
    .await;
    at.check(Case {
        program: Release { fence: 7 },
        wakes: false,
    })
    .await;
    at.check(Case {
        program: Leave { owner: 9 },
        wakes: false,
    })
    .await;
    at.check(Case {
        program: Leave { owner: 2 },
        wakes: true,
    })
    .await;
    at.check(Case {
        program: Release { fence },
        wakes: true,
    })
    .await;
    at.check(Case {
        program: Release { fence },
        wakes: false,
    })
    .await;
}

struct Wakes<'a> {
    lua: &'a dyn Programs,
    rust: Arc<dyn Programs>,
    waits: Arc<dyn Waits>,
    server: &'a RedisServer,
    key: Key,
}

impl Wakes<'_> {
    async fn check<P: Program<Record = Permits> + std::fmt::Debug>(&self, case: Case<P>) {
        let Case { program, wakes } = case;
        let mut waiter = self.waits.wait_for(&self.key).await.unwrap();
        self.rust.run(&self.key, &program).await.unwrap();
        let woken = futures_ready(waiter.next()).await;
        assert_eq!(woken, wakes, "Rust: {program:?}");

        // A script that wakes, without a subscriber, removes the mark that somebody waits.
        let mark = format!("{}:~waiters", self.key.as_str());
        self.server
            .command(&["SET", &mark, "1", "PX", "60000"])
            .unwrap();
        self.lua.run(&self.key, &program).await.unwrap();
        let is_marked = self.server.command(&["EXISTS", &mark]).unwrap().int();
        assert_eq!(is_marked == Some(0), wakes, "Lua: {program:?}");
    }
}

/// Returns whether a future is ready at once.
async fn futures_ready<F: Future + Unpin>(mut future: F) -> bool {
    use std::task::Poll;
    let polled =
        std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut future).poll(cx).is_ready()));
    polled.await
}

#[tokio::test]
async fn who_no_longer_waits_is_not_counted() {
    let clock = ManualClock::default();
    let moka = larder_moka::MokaStore::builder().with_clock(clock.clone());
    let store: Arc<dyn Store> = Arc::new(moka.build());
    let programs = store.programs().unwrap();
    let key = Key::new(Permits::KIND, "report");
    for owner in 1..4 {
        let acquire = Acquire {
            owner,
            hold_us: 60_000_000,
            permits: 1,
            place_us: owner * 1_000_000,
            longest_queue: 9,
        };
        programs.run(&key, &acquire).await.unwrap();
    }
    for waiting in ["2", "2", "1", "0"] {
        let shown = programs.inspect::<Permits>(&key).await.unwrap();
        let mut fields = shown.fields().iter();
        let queue = fields.find(|(name, _)| name == "queue").unwrap();
        assert_eq!(queue.1, waiting);
        clock.advance(Duration::from_secs(1));
    }
}
