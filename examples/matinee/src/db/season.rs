//! The next season, added while the app runs.

use std::time::Duration;

use sqlx::SqlitePool;
use tokio::time::{MissedTickBehavior, interval};

use super::{seed, writers};

/// Keeps adding the next season whenever less than a week of the last one is left.
///
/// It checks at the interval `every`, with the time from `now_ms`. Several processes may do this with one
/// database: a season is added once.
pub(crate) async fn keep_programme_ahead(
    pool: &SqlitePool,
    every: Duration,
    now_ms: impl Fn() -> i64,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = extend_programme(pool, now_ms()).await {
            tracing::warn!(%error, "the next season was not added and will be tried again");
        }
    }
}

/// Adds the next season if it is due. As at the start, the write lock is taken first.
async fn extend_programme(pool: &SqlitePool, now_ms: i64) -> Result<(), sqlx::Error> {
    let _turn = writers::turn().await?;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    seed::seed(&mut transaction, now_ms).await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::clock::{DAY_MS, now_ms};
    use crate::db;

    async fn last_showing(pool: &SqlitePool) -> i64 {
        let last = sqlx::query_scalar("SELECT MAX(starts_at_ms) FROM showings");
        last.fetch_one(pool).await.unwrap()
    }

    #[tokio::test]
    async fn an_app_that_runs_for_a_year_has_showings_on_every_day_of_it() {
        let pool = db::open("sqlite::memory:").await.unwrap();
        let clock = AtomicI64::new(now_ms());
        let every = Duration::from_millis(1);
        let keeping = keep_programme_ahead(&pool, every, || clock.load(Ordering::Relaxed));
        let year = async {
            for _ in 0..53 {
                let now = clock.fetch_add(7 * DAY_MS, Ordering::Relaxed) + 7 * DAY_MS;
                while last_showing(&pool).await < now + DAY_MS {
                    sleep(every).await;
                }
            }
        };
        let year = timeout(Duration::from_secs(60), year);
        tokio::select! {
            () = keeping => unreachable!("it goes on for ever"),
            year = year => year.expect("a season comes in time"),
        }
        let seasons: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM seasons")
            .fetch_one(&pool)
            .await
            .unwrap();
        // One when the year begins, one for every four weeks, and the next one a week ahead.
        assert_eq!(seasons, 14);
    }
}
