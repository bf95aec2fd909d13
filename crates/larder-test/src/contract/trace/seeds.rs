use std::sync::Arc;

use fastrand::Rng;
use larder_store::program::{Effect, Record, Script};

use super::{Pair, Sabotaged, Step, trace};

/// A planted fault: a script, a text in it, and the text that replaces it.
pub type Fault = (&'static Script, &'static str, &'static str);

/// Runs traces over several seeds, each on a new pair of stores.
pub struct Traces<P> {
    seeds: u64,
    steps: usize,
    new_pair: P,
}

impl<P: AsyncFn() -> Pair> Traces<P> {
    /// Makes traces of `steps` steps each, one for each of `seeds` seeds, on pairs from `new_pair`.
    pub fn new(seeds: u64, steps: usize, new_pair: P) -> Self {
        Self {
            seeds,
            steps,
            new_pair,
        }
    }

    /// Compares the two forms of the programs on records of type `R`.
    ///
    /// `next` is called for each trace, and returns the function that draws its steps.
    ///
    /// # Panics
    /// At the first [`Divergence`](super::Divergence).
    pub async fn agree<R: Record, N>(&self, next: impl Fn() -> N)
    where
        N: FnMut(&mut Rng) -> Box<dyn Step>,
    {
        for seed in 0..self.seeds {
            let pair = (self.new_pair)().await;
            if let Err(divergence) = trace::<R>(&pair, seed, self.steps, next()).await {
                panic!("{divergence}");
            }
        }
    }

    /// Plants each fault in its Lua script, and checks that a trace finds it.
    ///
    /// There are four times the seeds of [`agree`](Self::agree), of which a fault costs only those until it is
    /// found.
    ///
    /// # Panics
    /// If a script does not contain the text of its fault, or no trace finds a fault.
    pub async fn catch<R: Record, N>(&self, next: impl Fn() -> N, faults: &[Fault])
    where
        N: FnMut(&mut Rng) -> Box<dyn Step>,
    {
        let mut missed = Vec::new();
        // A seed that has found a fault reaches rare states, and is tried first on the next one.
        let mut seeds: Vec<u64> = (1_000..1_000 + 4 * self.seeds).collect();
        for &fault in faults {
            match self.finds::<R, N>(&next, fault, &seeds).await {
                Some(nth) => seeds[..=nth].rotate_right(1),
                None => missed.push((fault.0.name(), fault.1, fault.2)),
            }
        }
        assert!(missed.is_empty(), "the traces missed {missed:#?}");
    }

    /// Returns which of the seeds is the first whose trace finds the fault.
    async fn finds<R: Record, N>(
        &self,
        next: impl Fn() -> N,
        (script, from, to): Fault,
        seeds: &[u64],
    ) -> Option<usize>
    where
        N: FnMut(&mut Rng) -> Box<dyn Step>,
    {
        assert!(script.lua().contains(from), "{}: {from}", script.name());
        let lua: &'static str = script.lua().replacen(from, to, 1).leak();
        for (nth, seed) in seeds.iter().enumerate() {
            let mut pair = (self.new_pair)().await;
            let mut broken = Script::new(script.name(), Effect::Once, lua);
            if script.is_run_when_full() {
                broken = broken.runs_when_full();
            }
            pair.lua = Arc::new(Sabotaged::new(pair.lua, broken));
            if trace::<R>(&pair, *seed, self.steps, next()).await.is_err() {
                return Some(nth);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use larder_store::program::Program;
    use larder_store::{ManualClock, Ttl};

    use super::*;
    use crate::contract::model::ModelStore;
    use crate::contract::records::{Add, Tally};
    use crate::contract::trace::after;

    /// Returns two stores that run the Rust form, so that no fault in the Lua has an effect.
    async fn twins() -> Pair {
        let clock = ManualClock::default();
        let model = || ModelStore::with_clock(clock.clone());
        Pair::new(clock.clone(), model(), model())
    }

    fn next(rng: &mut Rng) -> Box<dyn Step> {
        let add = Add {
            by: rng.i64(0..5),
            limit: 9,
            ttl: Ttl::from_millis(1),
        };
        after(add, vec![1_000])
    }

    #[tokio::test]
    async fn what_an_earlier_trace_left_on_a_store_is_no_difference() {
        let clock = ManualClock::default();
        let model = || ModelStore::with_clock(clock.clone());
        let used = Pair::new(clock.clone(), model(), model());
        let traces = Traces::new(2, 20, async || {
            let mut pair = Pair::new(clock.clone(), model(), model());
            pair.lua = used.lua.clone();
            pair
        });
        let add = |rng: &mut Rng| {
            let (by, limit, ttl) = (rng.i64(0..5), 9, Ttl::MAX);
            after(Add { by, limit, ttl }, vec![1_000])
        };
        traces.agree::<Tally, _>(|| add).await;
        traces.agree::<Tally, _>(|| add).await;
    }

    #[tokio::test]
    #[should_panic(expected = "the traces missed")]
    async fn a_fault_that_no_trace_notices_is_a_failure() {
        let faults = [(Add::SCRIPT, "return", "return false or")];
        let traces = Traces::new(2, 20, twins);
        traces.catch::<Tally, _>(|| next, &faults).await;
    }

    #[tokio::test]
    #[should_panic(expected = "not in this script")]
    async fn a_fault_whose_text_is_out_of_date_is_a_failure() {
        let faults = [(Add::SCRIPT, "not in this script", "")];
        let traces = Traces::new(2, 20, twins);
        traces.catch::<Tally, _>(|| next, &faults).await;
    }
}
