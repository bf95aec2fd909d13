//! Records on Redis, whose keys were changed by somebody who may write to the server.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_cache::{Cache, Loaded, QueuedWrite, WriteBehind};
use larder_store::{Kind, Result, Store};
use larder_structures::counter::Counter;
use larder_structures::leaderboard::Leaderboard;
use larder_structures::recent_list::RecentList;
use larder_structures::record::Record;
use larder_structures::unique_count::UniqueCount;

use super::cache::HOUR;
use super::server::{Server, TIMEOUT};
use super::{Outcome, Target, reading};
use crate::fuzz::values::{Drawn, Film};

const FILM: Kind = Kind::evictable("film");

pub(super) fn records() -> Target {
    let mut server = Server::start();
    Box::new(move |random| {
        server.empty();
        let kind = random.u8(..6);
        let written = server.runtime.block_on(write(kind, &server.store, random));
        written.expect("it is written");
        server.corrupt(random);
        let began = Instant::now();
        reading(
            || match server.runtime.block_on(read(kind, &server.store)) {
                // A program loops, or the connection is broken.
                _ if began.elapsed() >= TIMEOUT => Outcome::Failed,
                Ok(()) => Outcome::Value,
                // A structure may refuse a record that is not its own.
                Err(_) => Outcome::Refused,
            },
        )
    })
}

async fn write(kind: u8, store: &Arc<dyn Store>, random: &mut fastrand::Rng) -> Result<()> {
    let film = Film::draw(random);
    match kind {
        0 => counters(store)?.set(7, 12).await.map(drop),
        1 => {
            let boards = boards(store)?;
            boards.set(7, "anna", 12).await?;
            boards.set(7, "bert", -3).await.map(drop)
        }
        2 => uniques(store)?.add(7, ["anna", "bert"]).await.map(drop),
        3 => films(store)?.put(7, &film).await,
        4 => lists(store)?.push(7, "seen").await.map(drop),
        _ => {
            let (cache, behind) = behind(store)?;
            behind.write(7, film.clone()).await?;
            behind.write(8, film.clone()).await?;
            let tagged = Loaded::new(film).with_tags(["lang"]);
            let load = || async { Ok::<_, Infallible>(tagged) };
            let _ = cache.find_or_load(&9, load).await;
            Ok(())
        }
    }
}

async fn read(kind: u8, store: &Arc<dyn Store>) -> Result<()> {
    match kind {
        0 => {
            let counters = counters(store)?;
            counters.get(7).await?;
            counters.inspect(7).await?;
            counters.add(7, 1).await.map(drop)
        }
        1 => {
            let boards = boards(store)?;
            boards.top(7, 10).await?;
            boards.get(7, "anna").await?;
            boards.add(7, "anna", 1).await?;
            boards.inspect(7).await.map(drop)
        }
        2 => {
            let uniques = uniques(store)?;
            uniques.count(7).await?;
            uniques.add(7, ["carl"]).await?;
            uniques.inspect(7).await.map(drop)
        }
        3 => {
            let films = films(store)?;
            films.get(7).await?;
            films.increment(7, "minutes", 1).await?;
            films.inspect(7).await.map(drop)
        }
        4 => {
            let lists = lists(store)?;
            lists.newest(7, 10).await?;
            lists.push(7, "seen again").await?;
            lists.inspect(7).await.map(drop)
        }
        _ => {
            let (cache, behind) = behind(store)?;
            cache.get(&7).await;
            cache.get(&9).await;
            behind.dead_letters(None, 9).await?;
            let _ = behind.shutdown(Duration::from_millis(20)).await?;
            cache.remove_tag("lang").await
        }
    }
}

fn counters(store: &Arc<dyn Store>) -> Result<Counter> {
    Counter::new(store.clone(), "views", HOUR)
}

fn boards(store: &Arc<dyn Store>) -> Result<Leaderboard> {
    Leaderboard::new(store.clone(), "best", HOUR)
}

fn uniques(store: &Arc<dyn Store>) -> Result<UniqueCount> {
    UniqueCount::new(store.clone(), "visitors", HOUR)
}

fn films(store: &Arc<dyn Store>) -> Result<Record<Film>> {
    Record::new(store.clone(), "films", HOUR)
}

fn lists(store: &Arc<dyn Store>) -> Result<RecentList> {
    RecentList::new(store.clone(), "seen", HOUR)
}

fn behind(store: &Arc<dyn Store>) -> Result<(Cache<u32, Film>, WriteBehind<u32, Film>)> {
    let cache = Cache::builder(FILM, HOUR).with_far(store.clone());
    let cache = cache.without_near().without_bus().build()?;
    let behind = WriteBehind::builder(store.clone(), "films", cache.clone());
    let sink = |_: QueuedWrite<u32, Film>| async { Ok::<_, Infallible>(()) };
    let behind = behind
        .with_store_timeout(TIMEOUT)
        .without_worker()
        .start(sink)?;
    Ok((cache, behind))
}
