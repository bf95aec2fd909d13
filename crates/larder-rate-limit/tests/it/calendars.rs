//! Windows that a calendar says.

use std::time::Duration;

use larder_rate_limit::{Calendar, Rule};

use crate::world::{on_every_store, passed};

const HOUR: Duration = Duration::from_secs(3_600);

on_every_store! {
    async fn a_day_in_a_time_zone_ends_at_its_midnight(world: World) {
        // The clock of the test begins at midnight UTC, which is 01:00 in Zurich.
        let zurich = Calendar::daily("Europe/Zurich").unwrap();
        let limiter = world.limiter(Rule::fixed_window(3, zurich.into()));
        assert_eq!(passed(&limiter, "ada", 5).await, 3);
        assert_eq!(limiter.check("ada").await.unwrap().retry_after(), 23 * HOUR);
        world.advance(23 * HOUR - Duration::from_micros(1));
        assert_eq!(passed(&limiter, "ada", 5).await, 0);
        world.advance(Duration::from_micros(1));
        assert_eq!(passed(&limiter, "ada", 5).await, 3);
        assert_eq!(limiter.check("ada").await.unwrap().retry_after(), 24 * HOUR);
    }

    async fn a_month_is_as_long_as_it_is(world: World) {
        // January 2026 has begun.
        let monthly = Calendar::monthly("UTC").unwrap();
        let limiter = world.limiter(Rule::fixed_window(2, monthly.into()));
        for days in [31, 28, 31, 30] {
            assert_eq!(passed(&limiter, "ada", 5).await, 2);
            let wait = limiter.check("ada").await.unwrap().retry_after();
            assert_eq!(wait, days * 24 * HOUR);
            world.advance(wait);
        }
    }
}
