//! Bytes of any kind wherever something is decoded: no panic, no error to the caller, no large
//! allocation.

mod mutate;
mod targets;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::{Limits, Table};
use targets::{Outcome, TARGETS, Target};

/// How many inputs there are, over all targets.
const INPUTS: u64 = 10_000_000;

/// How long they may take together.
const TIME: Duration = Duration::from_secs(600);

/// The most memory that one input may take.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// So many inputs that some are a value: of damaged bytes it is one in two thousand.
const ENOUGH: u64 = 40_000;

/// The outcomes of all inputs of a target.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    inputs: u64,
    values: u64,
    refused: u64,
    wrong: u64,
    failed: u64,
    panics: u64,
    bytes: u64,
}

/// Reads mutated bytes by everything that decodes.
#[must_use]
pub fn prove(limits: &Limits) -> Table {
    let mut table = Table::new()
        .column("what is read")
        .measured("inputs")
        .measured("read as a value")
        .measured("refused")
        .column("panics")
        .column("errors")
        .column("wrong values")
        .measured("most memory for one");
    let targets = TARGETS.len() as u64;
    let inputs = limits.inputs.unwrap_or(INPUTS) / targets;
    let time = limits.time.unwrap_or(TIME / TARGETS.len() as u32);
    for (name, make) in TARGETS {
        let tally = on_all_cores(make, inputs, time);
        table.row([
            name.to_owned(),
            tally.inputs.to_string(),
            tally.values.to_string(),
            tally.refused.to_string(),
            tally.panics.to_string(),
            tally.failed.to_string(),
            tally.wrong.to_string(),
            format!("{} KiB", tally.bytes.div_ceil(1024)),
        ]);
        let is_well = tally.panics == 0 && tally.failed == 0 && tally.wrong == 0;
        table.bar(is_well, || format!("{name}: {tally:?}"));
        table.bar(tally.bytes <= MAX_BYTES, || {
            format!("{name}: one input took {} bytes", tally.bytes)
        });
        table.bar(tally.inputs > 0, || format!("{name}: no input"));
        table.bar(tally.refused > 0 || name.starts_with("messages"), || {
            format!("{name}: nothing was refused")
        });
        // Otherwise it may be that it reads nothing, whatever the bytes are.
        let can_be_read = !name.starts_with("decompression bombs");
        let is_enough = tally.inputs >= ENOUGH && can_be_read;
        table.bar(tally.values > 0 || !is_enough, || {
            format!("{name}: nothing was read as a value")
        });
    }
    table
}

fn on_all_cores(make: fn() -> Target, inputs: u64, time: Duration) -> Tally {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let threads: Vec<_> = (0..cores)
        .map(|seed| std::thread::spawn(move || run(make, seed, inputs / cores, time)))
        .collect();
    let tallies = threads
        .into_iter()
        .map(|thread| thread.join().expect("a thread that catches panics"));
    tallies.fold(Tally::default(), Tally::plus)
}

fn run(make: fn() -> Target, seed: u64, inputs: u64, time: Duration) -> Tally {
    let (mut target, mut tally) = (make(), Tally::default());
    let mut random = fastrand::Rng::with_seed(seed);
    let until = Instant::now() + time;
    while tally.inputs < inputs && (tally.inputs % 256 != 0 || Instant::now() < until) {
        tally.inputs += 1;
        match catch_unwind(AssertUnwindSafe(|| target(&mut random))) {
            Ok(read) => {
                tally.bytes = tally.bytes.max(read.bytes);
                *match read.outcome {
                    Outcome::Value => &mut tally.values,
                    Outcome::Refused => &mut tally.refused,
                    Outcome::Wrong => &mut tally.wrong,
                    Outcome::Failed => &mut tally.failed,
                } += 1;
            }
            Err(_) => {
                tally.panics += 1;
                target = make();
            }
        }
    }
    tally
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            inputs: self.inputs + other.inputs,
            values: self.values + other.values,
            refused: self.refused + other.refused,
            wrong: self.wrong + other.wrong,
            failed: self.failed + other.failed,
            panics: self.panics + other.panics,
            bytes: self.bytes.max(other.bytes),
        }
    }
}
