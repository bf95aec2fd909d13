//! Coupons, each of which can be redeemed so many times.

use std::sync::Arc;

use larder_store::program::prelude::*;
use larder_store::{Store, StoreExt};

/// How often a coupon was redeemed. On Redis a string.
#[derive(Debug)]
pub struct Redemptions(i64);

record! {
    Redemptions, Kind::record("coupon");
    /// Shows people and tools how often a coupon was redeemed.
    pub InspectRedemptions = "coupon-inspect",
    "local count = redis.call('GET', KEYS[1])
     return count and {'count', count} or {}",
    |held, shown| shown.with("count", held.0),
}

/// Redeems a coupon once more, and returns whether that was possible.
#[derive(Debug)]
pub struct Redeem {
    /// How often it can be redeemed.
    pub limit: i64,
    /// How long the count is kept after the coupon was last redeemed.
    pub ttl: Ttl,
}

impl Program for Redeem {
    type Record = Redemptions;
    type Reply = bool;

    // Check first, write last: a script that fails half-way has written nothing.
    const SCRIPT: &'static Script = &Script::new(
        "coupon-redeem",
        Effect::Once,
        "local count = tonumber(redis.call('GET', KEYS[1]) or '0')
         if count >= tonumber(ARGV[1]) then return 0 end
         put(KEYS[1], num(count + 1), ARGV[2])
         return 1",
    );

    arguments!(limit, ttl);

    fn step(&self, record: &mut Slot<'_, Redemptions>, _: Timestamp) -> bool {
        let count = record.get().map_or(0, |redemptions| redemptions.0);
        if count >= self.limit {
            return false;
        }
        record.put(Redemptions(count + 1), self.ttl);
        true
    }
}

/// The coupons of an app, on any store that runs programs.
pub struct Coupons {
    programs: Arc<dyn Programs>,
    redeem: Redeem,
}

impl Coupons {
    /// Makes coupons that can be redeemed `limit` times each, and are remembered for `ttl`.
    ///
    /// # Errors
    /// `ErrorKind::Invalid` if the store runs no programs.
    pub fn new(store: Arc<dyn Store>, limit: i64, ttl: Ttl) -> Result<Self> {
        let programs = store.require_programs("coupons")?;
        let redeem = Redeem { limit, ttl };
        Ok(Self { programs, redeem })
    }

    /// Redeems the coupon, and returns whether that was possible. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn redeem(&self, code: &str) -> Result<bool> {
        let key = Key::new(Redemptions::KIND, code);
        self.programs.run(&key, &self.redeem).await
    }
}
