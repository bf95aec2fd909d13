use sqlx::SqlitePool;

use super::open;

/// Opens a database in memory, in which Ada has account 1. Returns it with its last showing.
pub(crate) async fn open_with_ada() -> (SqlitePool, i64) {
    let pool = open("sqlite::memory:").await.unwrap();
    sqlx::query(
        "INSERT INTO users (id, email, name, password_hash) VALUES (1, 'a@b.example', 'Ada', '')",
    )
    .execute(&pool)
    .await
    .unwrap();
    let showing = "SELECT id FROM showings ORDER BY starts_at_ms DESC LIMIT 1";
    let showing = sqlx::query_scalar(showing).fetch_one(&pool).await.unwrap();
    (pool, showing)
}
