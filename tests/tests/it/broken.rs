//! Every law can fail, and no two laws say the same: the matrix of all laws over all broken stores.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_store::ManualClock;
use larder_test::broken::{BrokenStore, Fault};
use larder_test::laws::{LAWS, Law, Violation};
use larder_test::{ModelStore, RealTimeFixture};

/// How long a law may wait for an answer. The clock is paused: a store that hangs costs no time.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_store_without_a_fault_keeps_every_law() {
    for law in LAWS {
        if let Err(violation) = check(law, None) {
            panic!("{}: {violation}", law.name());
        }
    }
}

#[test]
fn every_law_is_failed_by_broken_stores_and_no_two_by_the_same() {
    let matrix = Matrix::compute();
    let mut wrong = String::new();
    for fault in Fault::ALL {
        if !matrix
            .failed
            .values()
            .any(|faults| faults.contains(&name(fault)))
        {
            let _ = writeln!(wrong, "no law notices {fault:?}");
        }
    }
    let mut by_faults: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (law, faults) in &matrix.failed {
        by_faults.entry(faults).or_default().push(*law);
    }
    for (faults, laws) in by_faults {
        if faults.is_empty() {
            let _ = writeln!(wrong, "no broken store fails {laws:?}");
        } else if laws.len() > 1 {
            let _ = writeln!(wrong, "no broken store tells apart {laws:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}\n{matrix}");
}

#[test]
fn names_of_laws_are_not_repeated() {
    let names: BTreeSet<_> = LAWS.iter().map(Law::name).collect();
    assert_eq!(names.len(), LAWS.len());
}

#[test]
fn a_store_by_a_real_clock_that_ends_everything_too_early_is_noticed() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().expect("a runtime");
    for name in [
        "a_value_ends_at_its_deadline",
        "a_lease_ends_at_its_deadline",
        "a_record_ends_with_its_ttl",
    ] {
        let law = LAWS.iter().find(|law| law.name() == name).expect("a law");
        let (clock, hurry) = Hurry::start();
        let store = Arc::new(ModelStore::with_clock(clock));
        let fixture = RealTimeFixture::new(store).keeping(hurry);
        let outcome = runtime.block_on(law.check(&fixture, PATIENCE));
        assert!(outcome.is_err(), "{name}");
    }
}

/// A thread that moves a clock ten times as fast as time passes.
struct Hurry(Arc<AtomicBool>);

impl Hurry {
    fn start() -> (ManualClock, Self) {
        let (clock, is_over) = (ManualClock::default(), Arc::new(AtomicBool::new(false)));
        let (moved, over) = (clock.clone(), is_over.clone());
        std::thread::spawn(move || {
            let mut last = Instant::now();
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_micros(100));
                let now = Instant::now();
                moved.advance(10 * (now - last));
                last = now;
            }
        });
        (clock, Self(is_over))
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Which faults fail each law.
struct Matrix {
    failed: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Matrix {
    fn compute() -> Self {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(BTreeMap::new());
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(law) = LAWS.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let faults = Fault::ALL.iter();
                        let caught = faults.filter(|fault| check(law, Some(**fault)).is_err());
                        let caught = caught.map(name).collect();
                        failed.lock().expect("no panic").insert(law.name(), caught);
                    }
                });
            }
        });
        Self {
            failed: failed.into_inner().expect("no panic"),
        }
    }
}

impl std::fmt::Display for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (law, faults) in &self.failed {
            writeln!(f, "{law}")?;
            writeln!(
                f,
                "    {}",
                faults.iter().cloned().collect::<Vec<_>>().join(" ")
            )?;
        }
        Ok(())
    }
}

fn name(fault: &Fault) -> String {
    format!("{fault:?}")
}

/// Tries a law on a new store with `fault`, in one thread, where tasks take turns at each wait.
fn check(law: &Law, fault: Option<Fault>) -> Result<(), Violation> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(law.check(&BrokenStore::fixture(fault), PATIENCE))
}
