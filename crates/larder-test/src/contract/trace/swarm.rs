//! What one trace draws often, seldom or never.
//!
//! A trace that draws every kind of step alike seldom reaches a state that takes many steps of one kind and
//! none of another, so every second seed leaves some kinds out (Groce et al., "Swarm Testing", ISSTA 2012). It
//! also chooses how many records it has, and how often the clock stands still.

use std::collections::HashMap;

use fastrand::Rng;

use super::Step;

/// How many of four steps of a kind are kept.
const KEPT: [u8; 6] = [0, 1, 2, 4, 4, 4];

/// How many of ten steps are followed by one at the same time.
const STILL: [u8; 4] = [1, 1, 4, 8];

/// After so many steps that were left out, one is kept whatever its kind.
const PATIENCE: usize = 50;

pub(super) struct Swarm {
    rng: Rng,
    draws_all: bool,
    kept: HashMap<String, u8>,
    still: u8,
    pub(super) records: u64,
}

impl Swarm {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5741_524d);
        let draws_all = seed.is_multiple_of(2);
        Self {
            draws_all,
            kept: HashMap::new(),
            still: if draws_all {
                1
            } else {
                STILL[rng.usize(..STILL.len())]
            },
            records: if draws_all { 3 } else { rng.u64(1..=3) },
            rng,
        }
    }

    /// Draws a step of a kind that this trace has.
    pub(super) fn draw(&mut self, mut next: impl FnMut() -> Box<dyn Step>) -> Box<dyn Step> {
        for _ in 0..PATIENCE {
            let step = next();
            if self.draws_all || self.keeps(step.name()) {
                return step;
            }
        }
        next()
    }

    fn keeps(&mut self, name: &str) -> bool {
        let kind = name.split(|it: char| !it.is_alphanumeric()).next();
        let rng = &mut self.rng;
        let kept = self.kept.entry(kind.unwrap_or_default().to_owned());
        let kept = *kept.or_insert_with(|| KEPT[rng.usize(..KEPT.len())]);
        rng.u8(..4) < kept
    }

    /// Returns whether the records are compared after this step. A difference mostly lasts until the next look.
    pub(super) fn looks(&mut self) -> bool {
        self.rng.bool()
    }

    pub(super) fn stands_still(&mut self) -> bool {
        self.rng.u8(..10) < self.still
    }
}
