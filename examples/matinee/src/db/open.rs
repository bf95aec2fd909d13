use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqlitePool};

use super::seed;
use crate::clock;
use crate::errors::StartError;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a writer waits for another process, at most: the first start of another one fills the
/// database meanwhile, on a machine that may be busy.
const BUSY: Duration = Duration::from_secs(30);
/// How long a request waits for a connection of the pool, at most.
const ACQUIRE: Duration = Duration::from_secs(2);

/// Opens the database, makes it when there is none, and brings it up to date.
///
/// Any number of processes may do this at once on one file: one of them does the work, the others
/// wait for it.
pub(crate) async fn open(url: &str) -> Result<SqlitePool, StartError> {
    let options = options(url).map_err(failed("read the URL of", url))?;
    let in_memory = is_in_memory(url);
    if !in_memory {
        make_directory(options.get_filename()).map_err(failed("make the directory of", url))?;
    }
    let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE);
    let pool = if in_memory {
        // Such a database lives and dies with its one connection.
        pool.max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
    } else {
        pool.max_connections(8)
    };
    let pool = pool
        .connect_with(options)
        .await
        .map_err(failed("open", url))?;
    let mut connection = pool.acquire().await.map_err(failed("open", url))?;
    prepare(&mut connection)
        .await
        .map_err(failed("set up", url))?;
    drop(connection);
    Ok(pool)
}

/// Asks the database for the least it can answer.
pub(crate) async fn answers(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1 FROM films LIMIT 1")
        .execute(pool)
        .await
        .map(drop)
}

/// Migrates and seeds in one transaction that takes the write lock first.
///
/// sqlx has no migration lock for SQLite; without this two first starts would race.
async fn prepare(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    MIGRATIONS.run(&mut *transaction).await?;
    seed::seed(&mut transaction, clock::now_ms()).await?;
    transaction.commit().await?;
    Ok(())
}

fn options(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
    Ok(SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
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
