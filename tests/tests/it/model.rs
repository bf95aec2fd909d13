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

use draw::sequences;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ManualClock, Namespace, Prefixed, Space, Store};
use larder_test::ModelStore;
use larder_test::broken::{BrokenStore, Fault};
use larder_test::server::RedisServer;
use operation::{Operation, Remembered, Time};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

#[test]
fn moka_gives_what_the_model_gives() {
    for space in [Space::Pinned, Space::Evictable] {
        prove(Time::Passes, space, 150, async |case: Case| {
            let store = MokaStore::builder().with_clock(case.clock).build();
            Arc::new(store) as Arc<dyn Store>
        });
    }
}

#[test]
fn prefixed_moka_gives_what_the_model_gives() {
    prove(Time::Passes, Space::Pinned, 50, async |case: Case| {
        let store = MokaStore::builder().with_clock(case.clock).build();
        Arc::new(Prefixed::new(case.namespace, Arc::new(store))) as Arc<dyn Store>
    });
}

#[test]
fn redis_gives_what_the_model_gives() {
    let server = RedisServer::start().unwrap();
    // Nothing ends while a sequence runs, so that the comparison is exact.
    prove(Time::StandsStill, Space::Pinned, 50, async |case: Case| {
        let store = RedisStore::builder(&server.url())
            .with_deadline(Duration::from_secs(10))
            .with_connect_deadline(Duration::from_secs(10));
        let store = store.connect().await.expect("a connection");
        Arc::new(Prefixed::new(case.namespace, Arc::new(store))) as Arc<dyn Store>
    });
}

#[test]
fn the_comparison_notices_broken_stores() {
    for fault in [
        Fault::LosesEmptyValues,
        Fault::IgnoresIfVersion,
        Fault::UnmetPutSetsTtl,
        Fault::DeleteAnswersTrue,
        Fault::OverwriteKeepsVersion,
        Fault::EndsLate,
        Fault::EndsEarly,
        Fault::TtlRoundsDown,
        Fault::ExpireRevives,
        Fault::ExpiredMeetsIfVersion,
        Fault::GetManyReverses,
        Fault::PutManyReverses,
        Fault::DeleteManyRepeatsAnswers,
        Fault::PutManyFailsWhole,
        Fault::TooLargeRemovesTheOld,
        Fault::OtherTypeIsReplaced,
        Fault::PartsOnlyLengthen,
        Fault::RunManyShifts,
    ] {
        let tried = compare(Time::Passes, Space::Pinned, 5000, async |case: Case| {
            Arc::new(BrokenStore::new(Some(fault), case.clock)) as Arc<dyn Store>
        });
        assert!(tried.is_err(), "{fault:?} is not noticed");
    }
}

/// What one sequence runs on: a clock that the model reads too, and keys that are nobody else's.
struct Case {
    clock: ManualClock,
    namespace: Namespace,
}

fn prove(time: Time, space: Space, cases: u32, make: impl AsyncFn(Case) -> Arc<dyn Store>) {
    let cases = variable("LARDER_MODEL_CASES").unwrap_or(cases);
    if let Err(failure) = compare(time, space, cases, make) {
        panic!("{failure}");
    }
}

/// Runs random sequences on a new model and on what `make` makes.
fn compare(
    time: Time,
    space: Space,
    cases: u32,
    make: impl AsyncFn(Case) -> Arc<dyn Store>,
) -> Result<(), String> {
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
    let tried = TestRunner::new_with_rng(config, rng).run(&sequences(time), |sequence| {
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
    tried.map_err(|failure| format!("to see it again: LARDER_MODEL_SEED={seed}\n{failure}"))
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
