use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection, SqlitePool};
use tokio::time::sleep;

use super::seed;
use crate::clock;
use crate::errors::StartError;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The longest time that a writer waits for another process.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// The longest time that a start waits for another process: that one may be filling the database at its first start,
/// on a busy machine.
const FILLING: Duration = Duration::from_secs(30);
/// The pause before another attempt to open a locked file.
const AGAIN: Duration = Duration::from_millis(20);
/// The longest time that a request waits for a connection of the pool.
pub(super) const ACQUIRE: Duration = Duration::from_secs(2);

/// Opens the database, creates it if there is none, and brings it up to date.
///
/// Any number of processes may do this at once with one file: one of them does the work, and the others
/// wait for it.
pub(crate) async fn open(url: &str) -> Result<SqlitePool, StartError> {
    let options = options(url).map_err(failed("read the URL of", url))?;
    let in_memory = is_in_memory(url);
    if !in_memory {
        make_directory(options.get_filename()).map_err(failed("make the directory of", url))?;
    }
    let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE);
    let pool = if in_memory {
        // Such a database exists only as long as its only connection.
        pool.max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
    } else {
        pool.max_connections(8)
    };
    let pool = connect(pool, options).await.map_err(failed("open", url))?;
    let mut connection = pool.acquire().await.map_err(failed("open", url))?;
    prepare(&mut connection)
        .await
        .map_err(failed("set up", url))?;
    drop(connection);
    Ok(pool)
}

/// Checks that the database answers.
pub(crate) async fn answers(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1 FROM films LIMIT 1")
        .execute(pool)
        .await
        .map(drop)
}

/// Connects, and waits while another process creates the file.
///
/// SQLite does not wait by itself while a journal becomes a write-ahead log, which happens once per file.
async fn connect(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> Result<SqlitePool, sqlx::Error> {
    let since = Instant::now();
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && since.elapsed() < FILLING => sleep(AGAIN).await,
            result => return result,
        }
    }
}

/// Returns whether another connection holds a lock: any form of `SQLITE_BUSY`.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// Migrates and seeds in one transaction that takes the write lock first.
///
/// sqlx has no migration lock for SQLite; without this, two first starts would race.
async fn prepare(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    wait_for_others(connection, FILLING).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    MIGRATIONS.run(&mut *transaction).await?;
    seed::seed(&mut transaction, clock::now_ms()).await?;
    transaction.commit().await?;
    wait_for_others(connection, BUSY).await?;
    Ok(())
}

/// Sets how long this connection waits while another process writes.
async fn wait_for_others(
    connection: &mut SqliteConnection,
    longest: Duration,
) -> Result<(), sqlx::Error> {
    let set = format!("PRAGMA busy_timeout = {}", longest.as_millis());
    sqlx::query(AssertSqlSafe(set))
        .execute(connection)
        .await
        .map(drop)
}

fn options(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
    Ok(SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A booking that was confirmed must outlast a power cut, and so must the record that its letter was sent.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .optimize_on_close(true, None))
}

fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

fn make_directory(file: &Path) -> std::io::Result<()> {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => std::fs::create_dir_all(directory),
        _ => Ok(()),
    }
}

fn failed<E>(what: &'static str, url: &str) -> impl FnOnce(E) -> StartError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| StartError::Database {
        what,
        url: url.to_owned(),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use larder_test::server::Sandbox;

    use super::*;

    #[tokio::test]
    async fn what_is_committed_is_on_the_disk_whichever_connection_has_written_it() {
        let sandbox = Sandbox::new().unwrap();
        let url = format!("sqlite://{}", sandbox.path().join("matinee.db").display());
        let pool = open(&url).await.unwrap();
        let mut connections = Vec::new();
        for _ in 0..pool.options().get_max_connections() {
            connections.push(pool.acquire().await.unwrap());
        }
        for connection in &mut connections {
            let synchronous = sqlx::query_scalar("PRAGMA synchronous");
            let synchronous: i64 = synchronous.fetch_one(&mut **connection).await.unwrap();
            assert_eq!(synchronous, 2, "2 is FULL");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_connect_at_once_to_a_file_that_is_not_there_yet() {
        let sandbox = Sandbox::new().unwrap();
        for round in 0..30 {
            let file = sandbox.path().join(format!("{round}.db"));
            let url = format!("sqlite://{}", file.display());
            let connect = || {
                let options = options(&url).unwrap();
                tokio::spawn(async {
                    let pool = connect(SqlitePoolOptions::new(), options).await?;
                    let mut connection = pool.acquire().await?;
                    let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
                    sqlx::query("CREATE TABLE IF NOT EXISTS one (it INTEGER)")
                        .execute(&mut *change)
                        .await?;
                    change.commit().await?;
                    drop(connection);
                    pool.close().await;
                    Ok::<_, sqlx::Error>(())
                })
            };
            let connecting: Vec<_> = (0..8).map(|_| connect()).collect();
            for connected in connecting {
                connected.await.unwrap().unwrap();
            }
        }
    }
}
