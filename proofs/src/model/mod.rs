//! Random sequences of operations give the same values, answers and errors on every store.
//!
//! `LARDER_MODEL_CASES` sets how many sequences are tried; `LARDER_MODEL_SEED` starts them from the
//! number that a failure has printed.

mod arguments;
mod draw;
mod events;
mod given;
mod leases;
mod limits;
mod operation;
mod queue;
mod remembered;
mod scan;
mod sessions;
mod side;
mod step;
mod time;

use std::cell::Cell;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::Table;
use crate::stores::Servers;
pub use arguments::Id;
use draw::{of_limits, sequences};
use given::{Answered, Given};
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{Clock, ManualClock, Namespace, Prefixed, Space, Store, Timestamp};
use larder_test::ModelStore;
use larder_test::server::RedisServer;
use leases::LeaseStep;
pub use leases::{Both, Fences, Shown};
use operation::Operation;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use remembered::Remembered;
use side::Side;
use step::Step;
pub use time::Time;

/// The number of sequences, which gives about 10,000 steps.
const CASES: u32 = 400;

/// The number of smaller sequences that are tried after one that gives something else.
const SHRINKS: u32 = 1000;

/// How long before a midnight a sequence begins, in microseconds: most of them pass it.
const BEFORE_MIDNIGHT: i64 = 15_000;

/// Runs at least 10,000 steps on each store.
#[must_use]
pub fn prove() -> Table {
    let mut table = Table::new()
        .column("store")
        .measured("sequences")
        .measured("steps")
        .column("differences");
    let mut tried = |name: &str, outcome: Result<Tried, String>| {
        let (sequences, steps, said) = match &outcome {
            Ok(tried) => (tried.sequences, tried.steps, "none".to_owned()),
            Err(said) => (0, 0, said.clone()),
        };
        table.row([
            name.to_owned(),
            sequences.to_string(),
            steps.to_string(),
            said.lines().last().unwrap_or_default().to_owned(),
        ]);
        table.bar(outcome.is_ok(), || format!("{name}: {said}"));
        table.bar(steps >= 10_000, || format!("{name}: only {steps} steps"));
    };
    tried(
        "moka, pinned",
        compare(Time::Passes, Space::Pinned, CASES, moka),
    );
    tried(
        "moka, evictable",
        compare(Time::Passes, Space::Evictable, CASES, moka),
    );
    tried(
        "moka, prefixed",
        compare(Time::Passes, Space::Pinned, CASES, prefixed_moka),
    );
    tried("Redis", compare_on(&Servers::one(), CASES));
    tried(
        "Redis, leases and records by a clock moved by hand",
        compare_in_virtual_time(&start(), CASES),
    );
    tried(
        "Redis Cluster of six nodes",
        compare_on(&Servers::cluster(), CASES),
    );
    table
}

fn start() -> RedisServer {
    RedisServer::start().expect("a redis-server")
}

/// Returns a new store in process, by the clock of the model.
pub async fn moka(clock: ManualClock) -> Arc<dyn Store> {
    Arc::new(MokaStore::builder().with_clock(clock).build())
}

/// [`moka()`] inside a namespace.
pub async fn prefixed_moka(clock: ManualClock) -> Arc<dyn Store> {
    let namespace = Namespace::new("prod", "app").expect("a namespace");
    Arc::new(Prefixed::new(namespace, moka(clock).await))
}

/// [`compare`] with a store on `servers`, by whose clock nothing ends meanwhile.
///
/// # Errors
/// As [`compare`].
pub fn compare_on(servers: &Servers, cases: u32) -> Result<Tried, String> {
    compare(Time::StandsStill, Space::Pinned, cases, async |_| {
        servers.fixture(true).await.store()
    })
}

/// [`compare`] with a store on `server` whose leases and records end by the clock of the model.
///
/// # Errors
/// As [`compare`].
pub fn compare_in_virtual_time(server: &RedisServer, cases: u32) -> Result<Tried, String> {
    compare(
        Time::PassesBesideValues,
        Space::Pinned,
        cases,
        async |clock| {
            server.command(&["FLUSHALL"]).expect("an empty server");
            let store = RedisStore::builder(&server.url())
                .with_virtual_time(clock)
                .with_timeout(Duration::from_secs(10))
                .with_connect_timeout(Duration::from_secs(10));
            Arc::new(store.connect().await.expect("a connection")) as Arc<dyn Store>
        },
    )
}

/// The numbers of sequences and steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// Sequences of fewer than 60 steps.
    pub sequences: u32,
    /// Steps of all of them.
    pub steps: usize,
}

/// Runs random sequences on a new model and on what `make` makes, and compares what they give.
///
/// # Errors
/// The smallest sequence that was found to give something else, and how to see it again.
pub fn compare(
    time: Time,
    space: Space,
    cases: u32,
    make: impl AsyncFn(ManualClock) -> Arc<dyn Store>,
) -> Result<Tried, String> {
    compare_each(&sequences(time), time, space, (cases, SHRINKS), make)
}

/// Returns whether random sequences show a difference between a model and what `make` makes. It looks for no
/// smaller sequence.
pub fn notices(cases: u32, make: impl AsyncFn(ManualClock) -> Arc<dyn Store>) -> bool {
    let sequences = sequences(Time::Passes);
    compare_each(&sequences, Time::Passes, Space::Pinned, (cases, 0), make).is_err()
}

/// [`compare`] by sequences of rate limits alone, on a store in process.
///
/// # Errors
/// As [`compare`].
pub fn compare_limits(
    cases: u32,
    make: impl AsyncFn(ManualClock) -> Arc<dyn Store>,
) -> Result<Tried, String> {
    let cases = (cases, SHRINKS);
    compare_each(&of_limits(), Time::Passes, Space::Pinned, cases, make)
}

fn compare_each(
    sequences: &impl Strategy<Value = Vec<Operation>>,
    time: Time,
    space: Space,
    (cases, max_shrink_iters): (u32, u32),
    make: impl AsyncFn(ManualClock) -> Arc<dyn Store>,
) -> Result<Tried, String> {
    let cases = variable("LARDER_MODEL_CASES").unwrap_or(cases);
    let seed: u64 = variable("LARDER_MODEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters,
        ..Config::default()
    };
    let bytes: Vec<u8> = (0..4_u64)
        .flat_map(|part| seed.wrapping_add(part).to_le_bytes())
        .collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let steps = Cell::new(0);
    let tried = TestRunner::new_with_rng(config, rng).run(sequences, |sequence| {
        steps.set(steps.get() + sequence.len());
        let clock = ManualClock::new(limits::MIDNIGHT.plus_micros(-BEFORE_MIDNIGHT));
        runtime.block_on(async {
            let store = make(clock.clone()).await;
            run(&sequence, time, space, &clock, store).await
        })
    });
    tried.map_err(|failure| format!("to see it again: LARDER_MODEL_SEED={seed}\n{failure}"))?;
    Ok(Tried {
        sequences: cases,
        steps: steps.get(),
    })
}

/// Runs one sequence on a new model and on `store`, and compares what they give at each step.
async fn run(
    sequence: &[Operation],
    time: Time,
    space: Space,
    clock: &ManualClock,
    store: Arc<dyn Store>,
) -> Result<(), TestCaseError> {
    let model = Side::new(Arc::new(ModelStore::with_clock(clock.clone())));
    let store = Side::new(store);
    let mut remembered = Remembered::new(space, clock.clone());
    for (number, operation) in sequence.iter().enumerate() {
        match operation {
            Operation::Advance(micros) => clock.advance_micros(*micros),
            Operation::AdvanceToEnd(back, micros) => {
                remembered.advance_to_end(None, *back, *micros);
            }
            Operation::Session(_) => {
                // A server tells its time to the millisecond.
                let past = clock.now().as_micros().rem_euclid(1_000);
                clock.advance_micros((1_000 - past) % 1_000);
            }
            Operation::LeaseAtEnd(micros, operation) => {
                remembered.advance_to_end(operation.id(), 0, *micros);
            }
            _ => {}
        }
        let Some(step) = operation.step(&mut remembered) else {
            continue;
        };
        let expected = step.run(&model, |both| both.model).await;
        let given = step.run(&store, |both| both.store).await;
        let now = time.is_shared().then(|| clock.now());
        if !given.is_like(&expected, time)
            || !are_granted_alike(&mut remembered, &step, &expected, &given, now)
        {
            return Err(TestCaseError::fail(format!(
                "operation {number}, {operation:?}: the model gave {expected:?}, \
                 the store gave {given:?}"
            )));
        }
    }
    Ok(())
}

/// Remembers the fences of a lease that both granted, and compares their order.
fn are_granted_alike(
    remembered: &mut Remembered,
    step: &Step,
    expected: &Given,
    given: &Given,
    now: Option<Timestamp>,
) -> bool {
    match (step, expected, given) {
        (
            Step::Lease(LeaseStep::Claim(id, _)),
            Given::Claimed(Ok(Answered::Lead(model))),
            Given::Claimed(Ok(Answered::Lead(store))),
        ) => {
            let (model, store) = (*model, *store);
            remembered.fences.grant(*id, Both { model, store }, now)
        }
        _ => true,
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let number = text.parse().ok();
    assert!(number.is_some(), "{name} is a number, not '{text}'");
    number
}
