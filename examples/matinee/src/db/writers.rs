//! The order of this process's writers, and how long each of them waits.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::open::{ACQUIRE, BUSY};

static TURN: Mutex<()> = Mutex::const_new(());

/// The longest time that a writer waits for the others of this process.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest time that a writer waits at all: for its turn, for a connection and for other processes.
pub(crate) const WRITER_WAITS: Duration = PATIENCE.saturating_add(ACQUIRE).saturating_add(BUSY);

/// Waits until the other writers of this process are done. The guard ends the turn.
///
/// SQLite lets one connection write at a time. If the others waited there, another process that keeps the lock would
/// soon have them hold every connection of the pool, and readers, who need no lock, would get none.
pub(super) async fn turn() -> Result<MutexGuard<'static, ()>, sqlx::Error> {
    let turn = timeout(PATIENCE, TURN.lock()).await;
    turn.map_err(|_| sqlx::Error::PoolTimedOut)
}

#[cfg(test)]
mod tests {
    use larder_test::server::Sandbox;
    use sqlx::{Connection as _, SqliteConnection};
    use tokio::time::sleep;

    use super::*;
    use crate::db;

    #[tokio::test(start_paused = true)]
    async fn a_writer_gives_up_if_the_others_do_not_end() {
        let _other = TURN.lock().await;
        let given_up = turn().await;
        assert!(matches!(given_up, Err(sqlx::Error::PoolTimedOut)));
    }

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
