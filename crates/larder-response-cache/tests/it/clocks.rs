//! A clock with a cheap time that is only approximate.

use std::time::Duration;

use larder_store::{Clock, ManualClock, Timestamp};

use crate::fixture::Fixture;

/// A clock whose cheap time is exact to a tenth of a second.
struct Rough(ManualClock);

impl Clock for Rough {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn now_between(&self) -> (Timestamp, Timestamp) {
        let now = self.0.now();
        (now.plus_micros(-100_000), now.plus_micros(100_000))
    }
}

#[tokio::test]
async fn the_age_and_the_end_of_a_response_are_exact_by_a_clock_that_is_asked_roughly() {
    let clock = ManualClock::default();
    let fixture = Fixture::with(|builder| builder.with_clock(Rough(clock.clone())));
    let short = ("cache-control", "max-age=2");
    fixture.origin.then(200, &[short], "one");
    fixture.get("/").await;
    for (millis, age) in [
        (0, "0"),
        (950, "0"),
        (40, "0"),
        (10, "1"),
        (50, "1"),
        (949, "1"),
    ] {
        clock.advance(Duration::from_millis(millis));
        let hit = fixture.get("/").await;
        assert!(hit.is_hit());
        assert_eq!(hit.field("age"), age);
    }
    clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.get("/").await.text(), "unscripted");
}
