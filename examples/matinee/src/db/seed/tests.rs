use sqlx::SqlitePool;

use super::*;
use crate::db;

async fn number(pool: &SqlitePool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

const SEATS: &str = "SELECT SUM(seat_rows * seats_per_row) FROM showings
                     JOIN screens ON screens.id = showings.screen_id";

#[tokio::test]
async fn a_first_start_gives_all_films_and_about_a_hundred_thousand_seats() {
    let pool = db::open("sqlite::memory:").await.unwrap();
    assert_eq!(number(&pool, "SELECT COUNT(*) FROM films").await, 3_200);
    assert_eq!(number(&pool, SEATS).await, 99_904);
    assert_eq!(
        number(&pool, "SELECT COUNT(*) FROM films WHERE genre = ''").await,
        0
    );
}

#[tokio::test]
async fn a_second_start_changes_nothing_and_a_late_one_adds_a_season() {
    let pool = db::open("sqlite::memory:").await.unwrap();
    let start = number(&pool, "SELECT starts_at_ms FROM seasons").await;
    let mut db = pool.acquire().await.unwrap();
    seed(&mut db, start + 21 * DAY_MS).await.unwrap();
    drop(db);
    assert_eq!(number(&pool, "SELECT COUNT(*) FROM showings").await, 672);

    let mut db = pool.acquire().await.unwrap();
    seed(&mut db, start + 21 * DAY_MS + 1).await.unwrap();
    seed(&mut db, start + 21 * DAY_MS + 1).await.unwrap();
    drop(db);
    assert_eq!(
        number(&pool, "SELECT COUNT(*) FROM showings").await,
        2 * 672
    );
    let next = number(&pool, "SELECT MAX(starts_at_ms) FROM seasons").await;
    assert_eq!(next, start + 28 * DAY_MS);

    let mut db = pool.acquire().await.unwrap();
    seed(&mut db, start + 400 * DAY_MS + 5).await.unwrap();
    drop(db);
    let next = number(&pool, "SELECT MAX(starts_at_ms) FROM seasons").await;
    assert_eq!(
        next,
        start + 400 * DAY_MS,
        "a season never begins in the past"
    );
}
