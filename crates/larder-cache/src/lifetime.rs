use larder_store::{Timestamp, Ttl};

/// How long values live, and how long a copy of them may stay near.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) ttl: Ttl,
    pub(crate) near: Ttl,
    /// The largest part of a TTL that is taken off, from 0 to 1.
    pub(crate) jitter: f64,
}

impl Lifetime {
    /// Returns the deadline of a value that is written now, with a TTL of `ttl`.
    ///
    /// It is never later than that, and at least a microsecond from now.
    ///
    /// `draw` is a random number from 0 to 1.
    pub(crate) fn deadline(&self, now: Timestamp, ttl: Ttl, draw: f64) -> Timestamp {
        now.plus_micros(self.shortened(ttl, draw))
    }

    /// Returns the deadline of a near copy of a value that ends at `deadline`.
    ///
    /// It is never later than that, and never more than the near TTL from now.
    pub(crate) fn near_deadline(
        &self,
        now: Timestamp,
        deadline: Timestamp,
        draw: f64,
    ) -> Timestamp {
        deadline.min(now.plus_micros(self.shortened(self.near, draw)))
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

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    proptest! {
        #[test]
        fn jitter_never_lengthens_and_takes_no_more_than_its_part(
            millis in 1..=Ttl::MAX.as_millis(),
            jitter in 0.0..=1.0_f64,
            draw in 0.0..1.0_f64,
        ) {
            let ttl = Ttl::from_millis(millis);
            let lifetime = Lifetime { ttl, near: ttl, jitter };
            let lived = lifetime.deadline(NOW, ttl, draw).as_micros() - NOW.as_micros();
            prop_assert!(lived >= 1);
            prop_assert!(lived <= ttl.as_micros());
            let least = ttl.as_micros() as f64 * (1.0 - jitter) - 1.0;
            prop_assert!(lived as f64 >= least);
        }

        #[test]
        fn a_near_copy_never_outlives_the_value_nor_the_near_ttl(
            left in 1..10_000_000_i64,
            near in 1..10_000_u64,
            draw in 0.0..1.0_f64,
        ) {
            let lifetime = Lifetime {
                ttl: Ttl::from_secs(60),
                near: Ttl::from_millis(near),
                jitter: 0.1,
            };
            let deadline = NOW.plus_micros(left);
            let end = lifetime.near_deadline(NOW, deadline, draw);
            prop_assert!(end <= deadline);
            prop_assert!(end <= NOW.plus_micros(lifetime.near.as_micros()));
        }
    }

    #[test]
    fn without_jitter_a_ttl_is_what_was_asked_for() {
        let ttl = Ttl::from_secs(60);
        let lifetime = Lifetime {
            ttl,
            near: ttl,
            jitter: 0.0,
        };
        assert_eq!(
            lifetime.deadline(NOW, ttl, 0.99),
            NOW.plus_micros(60_000_000)
        );
    }
}
