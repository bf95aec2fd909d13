//! Random sequences of operations give the same values, answers and errors on every store.
//!
//! `LARDER_MODEL_CASES` sets how many sequences are tried; `LARDER_MODEL_SEED` starts them from the
//! number that a failure has printed.

mod draw;
mod operation;
mod step;

use std::cell::Cell;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::Table;
use draw::sequences;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Namespace, Prefixed, Space, Store};
use larder_test::ModelStore;
use larder_test::server::RedisServer;
pub use operation::Time;
use operation::{Operation, Remembered};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// How many sequences give 10,000 steps: one has some 30.
const CASES: u32 = 400;

/// What one sequence runs on: a clock that the model reads too, and keys that are nobody else's.
pub struct Case {
    /// The clock of the model.
    pub clock: ManualClock,
    /// Nobody else's keys.
    pub namespace: Namespace,
}

/// All stores, for 10,000 steps each.
#[must_use]
pub fn prove() -> Table {
    let mut table = Table::new()
        .column("store")
        .measured("sequences")
        .measured("steps")
        .column("differences");
    let server = RedisServer::start().expect("a redis-server");
    let url = server.url();
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
    tried(
        "Redis",
        compare(Time::StandsStill, Space::Pinned, CASES, async |case| {
            redis(&url, case).await
        }),
    );
    table
}

/// A new store in process, by the clock of the model.
pub async fn moka(case: Case) -> Arc<dyn Store> {
    Arc::new(MokaStore::builder().with_clock(case.clock).build())
}

/// [`moka`] inside a namespace.
pub async fn prefixed_moka(case: Case) -> Arc<dyn Store> {
    let store = MokaStore::builder().with_clock(case.clock).build();
    Arc::new(Prefixed::new(case.namespace, Arc::new(store)))
}

/// A new store on the servers at `url`, in a namespace of its own.
pub async fn redis(url: &str, case: Case) -> Arc<dyn Store> {
    let store = RedisStore::builder(url)
        .with_deadline(Duration::from_secs(10))
        .with_connect_deadline(Duration::from_secs(10));
    let store = store.connect().await.expect("a connection");
    Arc::new(Prefixed::new(case.namespace, Arc::new(store)))
}

/// How much was tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// Sequences of up to 60 steps.
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
    make: impl AsyncFn(Case) -> Arc<dyn Store>,
) -> Result<Tried, String> {
    let cases = variable("LARDER_MODEL_CASES").unwrap_or(cases);
    let seed: u64 = variable("LARDER_MODEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 1000,
        ..Config::default()
    };
    let bytes: Vec<u8> = (0..4_u64)
        .flat_map(|part| seed.wrapping_add(part).to_le_bytes())
        .collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let number = Cell::new(0);
    let steps = Cell::new(0);
    let tried = TestRunner::new_with_rng(config, rng).run(&sequences(time), |sequence| {
        steps.set(steps.get() + sequence.len());
        let app = number.replace(number.get() + 1).to_string();
        let clock = ManualClock::default();
        let case = Case {
            clock: clock.clone(),
            namespace: Namespace::new("case", &app).expect("a namespace"),
        };
        runtime.block_on(async {
            let store = make(case).await;
            run(&sequence, time, space, &clock, &store).await
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
    store: &Arc<dyn Store>,
) -> Result<(), TestCaseError> {
    let model: Arc<dyn Store> = Arc::new(ModelStore::with_clock(clock.clone()));
    let mut remembered = Remembered::new(space);
    for (number, operation) in sequence.iter().enumerate() {
        if let Operation::Advance(micros) = operation {
            clock.advance_micros(*micros);
        }
        if let Some(step) = operation.step(&mut remembered) {
            let (expected, given) = (step.run(&model).await, step.run(store).await);
            if !given.is_like(&expected, time.slack()) {
                return Err(TestCaseError::fail(format!(
                    "operation {number}, {operation:?}: the model gave {expected:?}, \
                     the store gave {given:?}"
                )));
            }
        }
    }
    Ok(())
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let number = text.parse().ok();
    assert!(number.is_some(), "{name} is a number, not '{text}'");
    number
}
