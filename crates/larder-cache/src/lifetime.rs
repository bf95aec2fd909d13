use larder_store::{Timestamp, Ttl};

/// The moments in the life of an entry, by the clock of the cache that loaded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// When its load began: its age counts from here.
    pub(crate) loaded_at: Timestamp,
    /// How long its load took.
    pub(crate) load_micros: u32,
    /// From then on a reader refreshes it in the background, if it is still fresh.
    pub(crate) refresh_at: Timestamp,
    /// After this, readers wait for a load.
    pub(crate) fresh_until: Timestamp,
    /// Until this it may be served if a load fails or is slow.
    pub(crate) stale_until: Timestamp,
    /// Nothing prolongs `fresh_until` past this.
    pub(crate) deadline: Timestamp,
}

/// How long values live, and how long a copy of them may stay near.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) ttl: Ttl,
    pub(crate) near: Ttl,
    /// The largest part of a TTL that is taken off, from 0 to 1.
    pub(crate) jitter: f64,
    /// The age from which readers begin a refresh in the background.
    pub(crate) refresh_after: Option<Ttl>,
    /// How long after its freshness a value may be served if a load fails.
    pub(crate) stale_if_error: Option<Ttl>,
    /// How long to cache that the source has no value.
    pub(crate) negative: Option<Ttl>,
    /// How long a value stays fresh after it was last read.
    pub(crate) idle: Option<Ttl>,
    /// The factor beta of early refresh; 0 is off.
    pub(crate) early_refresh: f64,
}

/// What a reader may do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Serve it.
    Fresh,
    /// Serve it, and begin a refresh in the background.
    RefreshDue,
    /// Load. Serve it only if the load fails or is slow.
    Stale,
    /// Never serve it.
    Ended,
}

/// After this many times the mean, an early refresh is practically impossible: 2 in a billion.
const EARLY_SPAN: f64 = 20.0;

impl Times {
    /// Returns what a reader may do at `now`.
    pub(crate) fn state(&self, now: Timestamp) -> State {
        if now < self.fresh_until {
            match now < self.refresh_at {
                true => State::Fresh,
                false => State::RefreshDue,
            }
        } else if now < self.stale_until {
            State::Stale
        } else {
            State::Ended
        }
    }

    /// Returns how long a store should hold the entry, in microseconds from `now`.
    pub(crate) fn micros_left(&self, now: Timestamp) -> i64 {
        let end = self.fresh_until.max(self.stale_until);
        end.as_micros().saturating_sub(now.as_micros())
    }
}

impl Times {
    /// The moments of an entry that is older than any other, and has ended.
    pub(crate) const ENDED: Self = {
        let past = Timestamp::from_micros(i64::MIN);
        Self {
            loaded_at: past,
            load_micros: 0,
            refresh_at: past,
            fresh_until: past,
            stale_until: past,
            deadline: past,
        }
    };

    /// Ends the freshness at `now`, if it has not ended before.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.fresh_until = self.fresh_until.min(now);
        self.refresh_at = self.refresh_at.min(now);
        self.deadline = self.deadline.min(now);
    }

    /// Prolongs the freshness of an entry that is read at `now`, never past its deadline.
    pub(crate) fn prolong(&mut self, idle: Ttl, now: Timestamp) {
        self.fresh_until = self.deadline.min(now.plus_micros(idle.as_micros()));
        self.stale_until = self.fresh_until;
    }
}

impl Lifetime {
    /// Returns the moments of a value whose load began at `loaded_at` and took `load_micros`.
    ///
    /// It is fresh for at most `ttl` from then on. `draw` is a random number from 0 to 1.
    pub(crate) fn times(
        &self,
        loaded_at: Timestamp,
        load_micros: u32,
        ttl: Ttl,
        draw: f64,
    ) -> Times {
        let deadline = loaded_at.plus_micros(self.shortened(ttl, draw));
        let after = |ttl: Option<Ttl>, from: Timestamp| {
            ttl.map_or(Timestamp::from_micros(i64::MAX), |ttl| {
                from.plus_micros(ttl.as_micros())
            })
        };
        let read_at = loaded_at.plus_micros(i64::from(load_micros));
        let fresh_until = deadline.min(after(self.idle, read_at));
        let stale = self.stale_if_error.map_or(0, Ttl::as_micros);
        Times {
            loaded_at,
            load_micros,
            refresh_at: deadline.min(after(self.refresh_after, loaded_at)),
            fresh_until,
            stale_until: fresh_until.plus_micros(stale),
            deadline,
        }
    }

    /// Returns how long before its end a value is refreshed early, in microseconds.
    ///
    /// `draw` is uniform from 0 to 1, so the result is exponential with a mean of `early_refresh`
    /// times the duration of the load. That is optimal (Vattani, Chierichetti, Lowenstein: "Optimal
    /// Probabilistic Cache Stampede Prevention", VLDB 2015, where it is called XFetch).
    pub(crate) fn early_by(&self, times: &Times, draw: f64) -> f64 {
        -draw.ln() * self.mean_early(times)
    }

    fn mean_early(&self, times: &Times) -> f64 {
        self.early_refresh * f64::from(times.load_micros)
    }

    /// Returns whether a reader at `now` should refresh the value, though it is fresh.
    pub(crate) fn is_refreshed_early(&self, times: &Times, now: Timestamp, draw: f64) -> bool {
        let end = self.end(times).as_micros();
        let left = end.saturating_sub(now.as_micros());
        times.load_micros > 0 && self.early_by(times, draw) >= left as f64
    }

    /// Returns when a value ends that is read often.
    fn end(&self, times: &Times) -> Timestamp {
        match self.idle {
            Some(_) => times.deadline,
            None => times.fresh_until,
        }
    }

    /// Returns from when on a near read prolongs the life of the copy: from the middle of its idle
    /// time on.
    pub(crate) fn records_from(&self, times: &Times) -> Timestamp {
        match self.idle.filter(|_| times.fresh_until < times.deadline) {
            Some(idle) => times.fresh_until.plus_micros(-(idle.as_micros() / 2)),
            None => times.fresh_until,
        }
    }

    /// Returns when a near copy made now ends: after the near TTL at most.
    pub(crate) fn near_until(&self, now: Timestamp, draw: f64) -> Timestamp {
        now.plus_micros(self.shortened(self.near, draw))
    }

    /// Returns the first moment at which a reader of a near copy has to decide anything. Nobody refreshes it
    /// before `retry_at`.
    pub(crate) fn decide_at(
        &self,
        times: &Times,
        near_until: Timestamp,
        retry_at: Timestamp,
    ) -> Timestamp {
        let early = (self.mean_early(times) * EARLY_SPAN) as i64;
        let early_from = self.end(times).plus_micros(-early);
        let refresh_from = times.refresh_at.min(early_from).max(retry_at);
        near_until.min(self.records_from(times)).min(refresh_from)
    }

    fn shortened(&self, ttl: Ttl, draw: f64) -> i64 {
        let micros = ttl.as_micros();
        // Below 2^53, so that the product is exact enough, and never negative.
        let off = (micros as f64 * self.jitter * draw) as i64;
        (micros - off).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);
    const PAST: Timestamp = Timestamp::from_micros(i64::MIN);
    const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    fn lifetime(ttl: Ttl, jitter: f64) -> Lifetime {
        Lifetime {
            ttl,
            near: ttl,
            jitter,
            refresh_after: None,
            stale_if_error: None,
            negative: None,
            idle: None,
            early_refresh: 1.0,
        }
    }

    proptest! {
        #[test]
        fn jitter_never_lengthens_and_takes_no_more_than_its_part(
            millis in 1..=Ttl::MAX.as_millis(),
            jitter in 0.0..=1.0_f64,
            draw in 0.0..1.0_f64,
        ) {
            let ttl = Ttl::from_millis(millis);
            let times = lifetime(ttl, jitter).times(NOW, 0, ttl, draw);
            let lived = times.fresh_until.as_micros() - NOW.as_micros();
            prop_assert!(lived >= 1);
            prop_assert!(lived <= ttl.as_micros());
            let least = ttl.as_micros() as f64 * (1.0 - jitter) - 1.0;
            prop_assert!(lived as f64 >= least);
        }

        #[test]
        fn a_near_copy_never_outlives_the_value_nor_the_near_ttl(
            left in 1..10_000_000_i64,
            near in 1..10_000_u64,
            load in 0..1_000_000_u32,
            draw in 0.0..1.0_f64,
        ) {
            let near = Ttl::from_millis(near);
            let lifetime = Lifetime { near, ..lifetime(Ttl::from_secs(60), 0.1) };
            let times = lifetime.times(NOW, load, Ttl::covering_micros(left), 0.0);
            let end = lifetime.decide_at(&times, lifetime.near_until(NOW, draw), PAST);
            prop_assert!(end <= times.fresh_until);
            prop_assert!(end <= NOW.plus_micros(near.as_micros()));
        }

        #[test]
        fn the_moments_of_an_entry_are_in_order(
            ttl in 1..100_000_u64,
            refresh in proptest::option::of(1..100_000_u64),
            stale in proptest::option::of(1..100_000_u64),
            idle in proptest::option::of(1..100_000_u64),
            load in 0..1_000_000_u32,
            draw in 0.0..1.0_f64,
        ) {
            let ttl = Ttl::from_millis(ttl);
            let lifetime = Lifetime {
                refresh_after: refresh.map(Ttl::from_millis),
                stale_if_error: stale.map(Ttl::from_millis),
                idle: idle.map(Ttl::from_millis),
                ..lifetime(ttl, 0.5)
            };
            let times = lifetime.times(NOW, load, ttl, draw);
            prop_assert!(times.refresh_at <= times.deadline);
            prop_assert!(times.fresh_until <= times.stale_until);
            prop_assert!(times.fresh_until <= times.deadline);
            prop_assert!(lifetime.decide_at(&times, NEVER, PAST) <= times.refresh_at);
        }
    }

    #[test]
    fn without_jitter_a_ttl_is_what_was_asked_for() {
        let ttl = Ttl::from_secs(60);
        let times = lifetime(ttl, 0.0).times(NOW, 0, ttl, 0.99);
        assert_eq!(times.fresh_until, NOW.plus_micros(60_000_000));
    }

    #[test]
    fn the_age_of_a_value_counts_from_the_start_of_its_load() {
        let ttl = Ttl::from_secs(60);
        let lifetime = Lifetime {
            refresh_after: Some(Ttl::from_secs(20)),
            ..lifetime(ttl, 0.0)
        };
        let times = lifetime.times(NOW, 10_000_000, ttl, 0.0);
        assert_eq!(times.refresh_at, NOW.plus_micros(20_000_000));
        assert_eq!(times.fresh_until, NOW.plus_micros(60_000_000));
    }

    /// The largest distance between the distribution of what was drawn and the exponential one
    /// (Kolmogorov-Smirnov).
    fn distance_from_exponential(mut drawn: Vec<f64>, mean: f64) -> f64 {
        drawn.sort_by(f64::total_cmp);
        let count = drawn.len() as f64;
        drawn
            .iter()
            .enumerate()
            .map(|(at, early)| {
                let expected = 1.0 - (-early / mean).exp();
                let (below, up_to) = (at as f64 / count, (at + 1) as f64 / count);
                (expected - below).abs().max((up_to - expected).abs())
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn early_refreshes_are_exponential_with_a_mean_of_beta_times_the_load() {
        for (seed, beta, load) in [(1, 1.0, 50_000_u32), (2, 0.5, 3_000), (3, 2.0, 700_000)] {
            let lifetime = Lifetime {
                early_refresh: beta,
                ..lifetime(Ttl::from_secs(60), 0.0)
            };
            let times = lifetime.times(NOW, load, Ttl::from_secs(60), 0.0);
            let mut random = StdRng::seed_from_u64(seed);
            let drawn: Vec<_> = (0..10_000)
                .map(|_| lifetime.early_by(&times, random.random()))
                .collect();
            // At a level of 1 in 1,000 the critical distance is 1.95 / sqrt(n).
            let critical = 1.95 / (drawn.len() as f64).sqrt();
            let mean = beta * f64::from(load);
            let distance = distance_from_exponential(drawn.clone(), mean);
            assert!(distance < critical, "{distance} for beta {beta}");
            // The test is able to fail: a mean that is a tenth too large is noticed.
            assert!(distance_from_exponential(drawn, mean * 1.1) > critical);
        }
    }

    #[test]
    fn the_refresh_rate_at_a_time_before_the_end_is_e_to_the_minus_t_over_beta_delta() {
        let lifetime = lifetime(Ttl::from_secs(60), 0.0);
        let times = lifetime.times(NOW, 100_000, Ttl::from_secs(60), 0.0);
        let mut random = StdRng::seed_from_u64(4);
        for left in [10_000, 50_000, 100_000, 300_000] {
            let now = times.fresh_until.plus_micros(-left);
            let reads = 20_000;
            let refreshed = (0..reads)
                .filter(|_| lifetime.is_refreshed_early(&times, now, random.random()))
                .count();
            let expected = (-(left as f64) / 100_000.0).exp();
            let rate = refreshed as f64 / f64::from(reads);
            assert!(
                (rate - expected).abs() < 0.015,
                "{rate} for {expected} at {left}"
            );
        }
    }

    /// A hot key that 100 nodes read 10 times a second each, 2,000 lives of it: how many of them end
    /// before a reader has refreshed the value.
    #[test]
    fn of_a_hot_key_fewer_than_one_end_in_a_thousand_meets_a_reader() {
        let lifetime = lifetime(Ttl::from_secs(60), 0.0);
        let (load, lives) = (100_000_u32, 2_000);
        let mut random = StdRng::seed_from_u64(5);
        let mut met = 0;
        for _ in 0..lives {
            let times = lifetime.times(NOW, load, Ttl::from_secs(60), 0.0);
            let mut now = lifetime.decide_at(&times, NEVER, PAST);
            // The first reader who refreshes has a new value ready one load later.
            let ready = loop {
                // 1,000 reads a second, at random times.
                now = now.plus_micros((-random.random::<f64>().ln() * 1_000.0) as i64 + 1);
                if now >= times.fresh_until
                    || lifetime.is_refreshed_early(&times, now, random.random())
                {
                    break now.plus_micros(i64::from(load));
                }
            };
            met += usize::from(ready > times.fresh_until);
        }
        assert!(met * 1_000 < lives, "{met} of {lives}");
    }
}
