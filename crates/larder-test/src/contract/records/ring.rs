use larder_store::program::prelude::*;

use super::Tally;

/// Adds one to a tally, returns the sum, and wakes its waiters if `wakes` is set.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// Whether it wakes the waiters of the tally.
    pub wakes: bool,
    /// The TTL of the tally from now on.
    pub ttl: Ttl,
}

impl Program for Ring {
    type Record = Tally;
    type Reply = i64;

    const SCRIPT: &'static Script = &Script::new(
        "law-ring",
        Effect::Once,
        "local count = num((redis.call('GET', KEYS[1]) or 0) + 1)
         put(KEYS[1], count, ARGV[2])
         if ARGV[1] == '1' then wake() end
         return count",
    );

    arguments!(wakes, ttl);

    fn step(&self, record: &mut Slot<'_, Tally>, _: Timestamp) -> i64 {
        let tally = record.update_or(self.ttl, || Tally(0));
        tally.0 += 1;
        let count = tally.0;
        if self.wakes {
            record.wake();
        }
        count
    }
}
