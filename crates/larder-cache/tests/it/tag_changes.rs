//! Tags that change while a load of a value with them runs.

use std::sync::Arc;
use std::time::Duration;

use larder_cache::{Cache, Loaded};
use larder_layer::tags::Tag;
use larder_moka::MokaStore;
use larder_store::{ManualClock, Shard, Sharded, Store};
use tokio::task::JoinHandle;

use crate::support::{Broken, FILM, Gate, far_key, on_both_stores, over, until};

type Films = Cache<u32, String>;

/// Begins a load of a film with the tag, which waits at the gate.
fn begin(films: &Films, film: u32, tag: String, gate: &Gate) -> JoinHandle<()> {
    let (films, gate) = (films.clone(), gate.clone());
    tokio::spawn(async move {
        let load = || async move {
            gate.pass().await;
            Ok::<_, Broken>(Loaded::new("old".to_owned()).with_tags([tag]))
        };
        films.find_or_load(&film, load).await.unwrap();
    })
}

on_both_stores! { Manual;
    async fn a_loader_that_removes_a_tag_of_its_own_value_leaves_nothing_cached(world: World) {
        let one = world.process();
        one.films.insert(1, "another".to_owned()).await.unwrap();
        let films = one.films.clone();
        let load = || async move {
            films.remove_tag("lang").await.unwrap();
            Ok::<_, Broken>(Loaded::new("old".to_owned()).with_tags(["lang"]))
        };
        one.films.find_or_load(&7, load).await.unwrap();
        assert!(one.films.get(&7).await.is_none());
        assert!(world.far().await.is_none());
    }

    /// The fences of leases in process run ahead of the clock, since each is one more than the last.
    async fn a_tag_that_changes_in_the_microsecond_of_a_lease_outdates_its_load(world: World) {
        let (one, two) = (world.quiet_process(), world.quiet_process());
        one.films.insert(1, "another".to_owned()).await.unwrap();
        let gate = Gate::closed();
        let loading = begin(&one.films, 7, "lang".to_owned(), &gate);
        gate.arrived().await;
        two.films.remove_tag("lang").await.unwrap();
        gate.open();
        loading.await.unwrap();
        assert!(world.far().await.is_none());
        world.advance_micros(1);
        let loading = begin(&one.films, 7, "lang".to_owned(), &gate);
        gate.arrived().await;
        gate.open();
        loading.await.unwrap();
        assert!(world.far().await.is_some());
    }
}

/// The leases of film 7 are on a node whose clock is a minute ahead of that of the tag's node.
#[tokio::test]
async fn a_tag_that_is_seen_to_change_outdates_each_load_though_the_clocks_of_the_nodes_differ() {
    for is_made_here in [true, false] {
        let (behind, ahead) = (ManualClock::default(), ManualClock::default());
        ahead.advance(Duration::from_secs(60));
        let node = |clock: ManualClock| Arc::new(MokaStore::builder().with_clock(clock).build());
        let shards = [
            Shard::new("a", node(ahead.clone())),
            Shard::new("b", node(behind)),
        ];
        let store = Arc::new(Sharded::new(shards).unwrap());
        let film = (0..)
            .find(|film| store.shard_of(&far_key(*film)) == "a")
            .unwrap();
        let mut tags = (0..).map(|number| format!("tag {number}"));
        let tag = tags
            .find(|tag| store.shard_of(&Tag::new(tag).key()) == "b")
            .unwrap();
        let build = || {
            let films = over(FILM, store.clone()).with_clock(ahead.clone());
            films.build().unwrap()
        };
        let (one, two) = (build(), build());
        let marker = film + 1;
        one.insert_with_tags(marker, "marker".to_owned(), [&tag])
            .await
            .unwrap();
        let gate = Gate::closed();
        let loading = begin(&one, film, tag.clone(), &gate);
        gate.arrived().await;
        let by = if is_made_here { &one } else { &two };
        by.remove_tag(&tag).await.unwrap();
        until("it hears of it", || one.get_near(&marker).is_none()).await;
        gate.open();
        loading.await.unwrap();
        let held = store.get(&far_key(film)).await.unwrap();
        assert!(held.is_none(), "made here: {is_made_here}");
    }
}
