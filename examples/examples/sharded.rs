//! Several servers without a cluster: where keys are, which keys a new shard takes, and a structure on all of
//! them.
//!
//! The shards are three in-process stores. `STORE_URL` only names another store for the last step, such as
//! `redis+shards://10.0.0.1,10.0.0.2`, which is the same kind of store on servers of your own.
//!
//! ```text
//! $ cargo run -p larder-examples --example sharded
//! of 3000 seats, north has 987, south has 2013
//! with east, 717 moved, and all of them to east
//! 5 visits to 5 films
//! ```

use std::env::var;
use std::io::Write;
use std::num::NonZeroU32;
use std::sync::Arc;

use larder::store::{Shard, Sharded};
use larder::{Key, Kind, Store, Ttl};
use larder_structures::counter::Counter;

const SEAT: Kind = Kind::pinned("seat");
const TWICE: NonZeroU32 = NonZeroU32::new(2).unwrap();

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let north = Shard::new("north", larder::connect("memory://").await?);
    // It has twice the memory, and so twice the keys.
    let south = Shard::new("south", larder::connect("memory://").await?).with_weight(TWICE);
    let east = Shard::new("east", larder::connect("memory://").await?);
    let two = Sharded::new([north.clone(), south.clone()])?;
    let three = Sharded::new([north, south, east])?;

    let mut out = std::io::stdout();
    let seats: Vec<_> = (0..3_000_u32).map(|seat| Key::new(SEAT, seat)).collect();
    let on = |shard: &str| {
        seats
            .iter()
            .filter(|seat| two.shard_of(seat) == shard)
            .count()
    };
    let (north, south) = (on("north"), on("south"));
    writeln!(out, "of 3000 seats, north has {north}, south has {south}")?;

    let moved = seats
        .iter()
        .filter(|seat| two.shard_of(seat) != three.shard_of(seat));
    let moved: Vec<_> = moved.map(|seat| three.shard_of(seat)).collect();
    assert!(moved.iter().all(|shard| *shard == "east"));
    writeln!(
        out,
        "with east, {} moved, and all of them to east",
        moved.len()
    )?;

    // A sharded store is a store: everything built on a store works on it as on one server.
    let store: Arc<dyn Store> = match var("STORE_URL") {
        Ok(url) => larder::connect(&url).await?,
        Err(_) => Arc::new(three),
    };
    let visits = Counter::new(store, "visits", Ttl::from_secs(3_600))?;
    let films = ["metropolis", "nosferatu", "faust", "m", "vampyr"];
    let mut sum = 0;
    for counted in visits.add_many(films.map(|film| (film, 1))).await {
        sum += counted?.value;
    }
    writeln!(out, "{sum} visits to {} films", films.len())?;
    Ok(())
}
