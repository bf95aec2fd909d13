//! The order of this process's writers.

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until the other writers of this process are done. The guard ends the turn.
///
/// SQLite lets one connection write at a time. If the others waited there, another process that keeps the lock would
/// soon have them hold every connection of the pool, and readers, who need no lock, would get none.
pub(super) async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_test::server::Sandbox;
    use sqlx::{Connection as _, SqliteConnection};
    use tokio::time::sleep;

    use crate::db;

    #[tokio::test(flavor = "multi_thread")]
    async fn while_another_process_keeps_the_lock_readers_get_a_connection() {
        let sandbox = Sandbox::new().unwrap();
        let url = format!("sqlite://{}", sandbox.path().join("matinee.db").display());
        let pool = db::open(&url).await.unwrap();
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let write = |id| {
            let pool = pool.clone();
            tokio::spawn(async move { db::set_disabled(&pool, id, true).await })
        };
        let writers: Vec<_> = (0..20).map(write).collect();
        sleep(Duration::from_millis(100)).await;
        db::answers(&pool).await.unwrap();
        lock.rollback().await.unwrap();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
    }
}
