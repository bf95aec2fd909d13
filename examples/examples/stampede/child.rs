//! One process: its callers all ask for the key when the parent says so.

use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use larder::cache::Cache;
use larder::store::{Key, Put};
use larder::{Kind, Store, Ttl};
use tokio::sync::watch;

use crate::arguments::{Arguments, load_log, store_url};

const PAGE: Kind = Kind::evictable("stampede");
const MINUTE: Ttl = Ttl::from_secs(60);

/// How long the slow query takes.
const LOAD: Duration = Duration::from_millis(200);

type Error = Box<dyn std::error::Error>;

pub(crate) fn run(arguments: &Arguments, key: u64) -> Result<(), Error> {
    let runtime = tokio::runtime::Runtime::new()?;
    let store = runtime.block_on(larder::connect(&store_url()))?;
    let log = load_log().ok_or("LOAD_LOG names no file")?;
    let pages = Cache::<u64, String>::builder(PAGE, MINUTE)
        .with_far(store.clone())
        // It is the machine's fault if ten processes on it are slow.
        .with_far_timeout(Duration::from_secs(10))
        .with_load_timeout(Duration::from_secs(30))
        .build()?;
    let (go, ready) = watch::channel(());
    let callers: Vec<_> = (0..arguments.callers)
        .map(|_| {
            let (pages, store, log) = (pages.clone(), store.clone(), log.clone());
            let (mut ready, is_naive) = (ready.clone(), arguments.is_naive);
            runtime.spawn(async move {
                let _ = ready.changed().await;
                match is_naive {
                    true => cache_aside(&*store, key, log).await,
                    false => {
                        let load = || slow_query(log);
                        let page = pages.get_or_load(&key, load).await;
                        page.map(drop).map_err(|error| error.to_string())
                    }
                }
            })
        })
        .collect();
    writeln!(std::io::stdout(), "ready")?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    go.send(())?;
    runtime.block_on(async {
        for caller in callers {
            caller.await??;
        }
        Ok::<_, Error>(())
    })?;
    writeln!(std::io::stdout(), "answered")?;
    Ok(())
}

/// The query that is slow, and runs once.
async fn slow_query(log: PathBuf) -> Result<String, std::io::Error> {
    let mut log = OpenOptions::new().append(true).create(true).open(log)?;
    // One write, so that lines of several processes do not mix.
    log.write_all(format!("{}\n", std::process::id()).as_bytes())?;
    tokio::time::sleep(LOAD).await;
    Ok("a page".to_owned())
}

/// Reads, loads, writes: what is written without a cache library.
async fn cache_aside(store: &dyn Store, key: u64, log: PathBuf) -> Result<(), String> {
    let key = Key::new(PAGE, key);
    // A store that is too busy to answer is a miss here, too.
    if let Ok(Some(_)) = store.get(&key).await {
        return Ok(());
    }
    let page = slow_query(log).await.map_err(|error| error.to_string())?;
    let page: Arc<[u8]> = page.into_bytes().into();
    let _ = store.put(&Put::new(key, page.to_vec(), MINUTE)).await;
    Ok(())
}
