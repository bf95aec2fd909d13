//! Compares the two forms of a program in virtual time, around their deadlines.
//!
//! A trace is a seeded sequence of steps on a few records. Each step runs on both stores, which
//! share one [`ManualClock`]. Their replies and their errors must be equal, and after half of the steps the
//! results of an inspection. Between two steps the clock moves: to a deadline from a reply, one microsecond
//! before or after it, or by a random time. Random times alone would miss mistakes at the deadlines. Each trace
//! draws some kinds of steps seldom or never, so that together they reach more states.
//!
//! The store that runs Lua must read its time from the same clock, as `larder-redis` does with
//! virtual time.

mod sabotaged;
mod seeds;
mod step;
mod swarm;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use larder_store::program::{Programs, Record};
use larder_store::{Clock, Key, ManualClock, Store, Timestamp};

pub use sabotaged::Sabotaged;
pub use seeds::{Fault, Traces};
pub use step::{Observed, Step, after, step};
use swarm::Swarm;

/// Two stores that read the same clock.
pub struct Pair {
    /// The clock of both.
    pub clock: ManualClock,
    /// The store that runs the Rust form.
    pub rust: Arc<dyn Programs>,
    /// The store that runs the Lua form.
    pub lua: Arc<dyn Programs>,
}

impl Pair {
    /// Makes a pair of a store that runs the Rust form and one that runs the Lua form.
    ///
    /// Both must read `clock`.
    ///
    /// # Panics
    /// If one of them runs no programs.
    pub fn new(clock: ManualClock, rust: impl Store, lua: impl Store) -> Self {
        let (rust, lua): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(rust), Arc::new(lua));
        Self {
            clock,
            rust: rust.programs().expect("a store that runs programs"),
            lua: lua.programs().expect("a store that runs programs"),
        }
    }
}

/// A difference between the two forms of a program, and how to reproduce it.
#[derive(Debug)]
pub struct Divergence {
    /// The seed of the trace.
    pub seed: u64,
    /// The number of steps before it.
    pub after: usize,
    /// The result of the Rust form.
    pub rust: String,
    /// The result of the Lua form.
    pub lua: String,
    /// The last steps with their times, oldest first, including the one that differs.
    pub history: Vec<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the two forms differ after {} steps of seed {}",
            self.after, self.seed
        )?;
        for line in &self.history {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "  Rust: {}", self.rust)?;
        write!(f, "  Lua:  {}", self.lua)
    }
}

impl std::error::Error for Divergence {}

/// Runs a trace of `steps` steps on records of type `R`.
///
/// `next` draws a step from the random numbers that it gets. The same `seed` gives the same trace.
///
/// # Errors
/// The first [`Divergence`].
pub async fn trace<R: Record>(
    pair: &Pair,
    seed: u64,
    steps: usize,
    mut next: impl FnMut(&mut fastrand::Rng) -> Box<dyn Step>,
) -> Result<(), Box<Divergence>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    // Traces may share a server: one that begins with what another has left differs at once, whatever it shows.
    let run = fastrand::u64(..);
    let mut swarm = Swarm::new(seed);
    let keys: Vec<Key> = (0..swarm.records)
        .map(|n| Key::new(R::KIND, (run, n)))
        .collect();
    let mut deadlines = BTreeSet::new();
    let mut history = Vec::new();

    for after in 0..steps {
        let key = &keys[rng.usize(..keys.len())];
        let step = swarm.draw(|| next(&mut rng));
        let now = pair.clock.now();
        history.push(format!("{} {}", now.as_micros(), step.name()));

        let rust = step.run(&*pair.rust, key, now).await;
        let lua = step.run(&*pair.lua, key, now).await;
        let (rust_holds, lua_holds) = match swarm.looks() {
            true => (
                inspect::<R>(&*pair.rust, key).await,
                inspect::<R>(&*pair.lua, key).await,
            ),
            false => (String::new(), String::new()),
        };
        if rust.shown != lua.shown || rust_holds != lua_holds {
            let history = history.split_off(history.len().saturating_sub(12));
            return Err(Box::new(Divergence {
                seed,
                after,
                rust: format!("{} {rust_holds}", rust.shown),
                lua: format!("{} {lua_holds}", lua.shown),
                history,
            }));
        }
        deadlines.extend(rust.deadlines);
        deadlines = deadlines.split_off(&now);
        if !swarm.stands_still() {
            advance(&pair.clock, &mut rng, &deadlines);
        }
    }
    Ok(())
}

async fn inspect<R: Record>(programs: &dyn Programs, key: &Key) -> String {
    match programs.inspect::<R>(key).await {
        Ok(inspection) => format!("{:?}", inspection.fields()),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Moves the clock, most often to a deadline or one microsecond beside it.
fn advance(clock: &ManualClock, rng: &mut fastrand::Rng, deadlines: &BTreeSet<Timestamp>) {
    match rng.u8(..9) {
        0..=5 if !deadlines.is_empty() => {
            // One of the next few: a trace that moves far ahead would skip the others.
            let near = rng.usize(..deadlines.len().min(4));
            if let Some(deadline) = deadlines.iter().nth(near) {
                clock.advance_to(deadline.plus_micros(rng.i64(-1..=1)));
            }
        }
        6 => clock.advance_micros(1),
        7 => clock.advance_micros(rng.i64(0..2_000)),
        _ => clock.advance_micros(rng.i64(0..3_000_000)),
    }
}
