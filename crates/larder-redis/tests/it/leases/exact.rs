//! The laws about the time of leases, exact to the microsecond, on a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder_redis::RedisStore;
use larder_store::lease::Claimed;
use larder_store::{Clock, ManualClock, Store};
use larder_test::server::RedisServer;
use larder_test::{Fixture, laws};

use super::{beside, claim, lead, leases};
use crate::support::{key, ok, patient, server};

/// All laws about leases in which no value expires: a server ends values by its own clock.
const LAWS: &[&str] = &[
    "a_lease_ends_at_its_deadline",
    "a_lease_is_held_up_to_its_deadline",
    "a_renewal_prolongs_a_lease",
    "a_renewal_may_shorten_a_lease",
    "only_the_holder_renews",
    "an_expired_lease_is_not_renewed",
    "an_expired_lease_is_not_abandoned",
    "a_commit_after_the_end_of_the_lease_is_refused",
    "a_commit_after_another_caller_got_the_lease_is_refused",
    "a_fence_rises_after_a_commit",
    "a_fence_rises_after_an_abandon",
    "a_fence_rises_after_an_invalidation",
    "a_fence_rises_after_the_end_of_a_lease",
    "a_fence_rises_through_a_hundred_leases",
    "a_follower_ends_at_the_end_of_the_lease",
    "a_follower_ends_at_the_end_of_a_shortened_lease",
    "a_follower_waits_through_a_renewal",
    "a_cancelled_claim_ends_by_itself",
];

struct OnVirtualTime {
    store: Arc<RedisStore>,
    clock: ManualClock,
    _server: RedisServer,
}

impl OnVirtualTime {
    async fn new() -> Self {
        let (server, clock) = (server(), ManualClock::default());
        let builder = patient(&server.url()).with_virtual_time(clock.clone());
        Self {
            store: Arc::new(builder.connect().await.unwrap()),
            clock,
            _server: server,
        }
    }
}

#[async_trait]
impl Fixture for OnVirtualTime {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

#[test]
fn the_laws_about_the_time_of_leases_hold_to_the_microsecond() {
    for law in LAWS {
        laws::prove(law, OnVirtualTime::new());
    }
}

#[tokio::test]
async fn a_fence_follows_the_clock_where_the_last_one_was_lost() {
    let (server, clock) = (server(), ManualClock::default());
    let builder = patient(&server.url()).with_virtual_time(clock.clone());
    let leases = leases(&Arc::new(builder.connect().await.unwrap()));
    let first = lead(&leases, &key(1)).await;
    assert_eq!(first.as_u64(), clock.now().as_micros().unsigned_abs());
    ok(&server, &["DEL", &beside(&key(1))]);
    clock.advance_micros(1);
    assert_eq!(lead(&leases, &key(1)).await.as_u64(), first.as_u64() + 1);
    // A fence rises even if the clock went back.
    let _ = leases.invalidate(&key(1)).await.unwrap();
    let behind = ManualClock::default();
    let builder = patient(&server.url()).with_virtual_time(behind);
    let late = super::leases(&Arc::new(builder.connect().await.unwrap()));
    assert_eq!(lead(&late, &key(1)).await.as_u64(), first.as_u64() + 2);
    let claimed = late.claim(&claim(&key(1))).await.unwrap();
    assert!(matches!(claimed, Claimed::Follow), "{claimed:?}");
}
