//! A far store over several servers, one of which is lost.

use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;

use larder_cache::{Cache, Loaded, Source};
use larder_layer::tags::Tag;
use larder_moka::MokaStore;
use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, Put, PutOutcome, Result,
    Shard, Sharded, Store, Ttl,
};
use larder_test::faulty::{Faulty, Switch, Trouble};
use parking_lot::Mutex;

use crate::support::{Broken, FILM, far_key, over};

const DOWN: Trouble = Trouble::Fail(ErrorKind::NotSent);

/// Two shards, the second of which has a switch. The first has the bus.
struct Shards {
    store: Arc<Sharded>,
    switch: Switch,
}

impl Shards {
    fn new() -> Self {
        let faulty = Faulty::new(Arc::new(MokaStore::new()));
        let switch = faulty.switch();
        let steady = Shard::new("a steady one", Arc::new(MokaStore::new()));
        let shards = [steady, Shard::new("lost", Arc::new(faulty))];
        let store = Arc::new(Sharded::new(shards).unwrap());
        Self { store, switch }
    }

    fn process(&self) -> Cache<u32, String> {
        over(FILM, self.store.clone()).build().unwrap()
    }

    fn films(&self, on_lost: bool) -> impl Iterator<Item = u32> {
        (0..1_000).filter(move |film| (self.store.shard_of(&far_key(*film)) == "lost") == on_lost)
    }

    fn tag(&self, on_lost: bool) -> String {
        let mut tags = (0..1_000).map(|number| format!("tag {number}"));
        let is_there =
            |tag: &String| (self.store.shard_of(&Tag::new(tag).key()) == "lost") == on_lost;
        tags.find(is_there).unwrap()
    }
}

#[tokio::test]
async fn claims_on_a_lost_shard_do_not_stop_the_reads_of_the_others() {
    let shards = Shards::new();
    let (one, two) = (shards.process(), shards.process());
    let kept = shards.films(false).next().unwrap();
    two.insert(kept, "kept".to_owned()).await.unwrap();
    shards.switch.set(DOWN);
    let lost: Vec<_> = shards.films(true).take(8).collect();
    let load = |films: Vec<u32>| {
        let loaded = films.into_iter().map(|film| (film, Ok("new".to_owned())));
        ready(Ok::<Vec<(u32, Result<_, Broken>)>, Broken>(
            loaded.collect(),
        ))
    };
    let loaded = one.get_or_load_many(&lost, load).await;
    assert!(loaded.iter().all(Result::is_ok), "{loaded:?}");
    for film in &lost {
        one.insert(*film, "newer".to_owned()).await.unwrap_err();
    }
    let found = one.find_or_load(&kept, || async { Err::<String, _>(Broken("asked")) });
    assert_eq!(found.await.unwrap().source, Source::Far);
}

/// A cluster in which the node of some keys is down: their reads fail.
struct Cluster {
    nodes: MokaStore,
    lost: Vec<Key>,
}

impl Cluster {
    fn is_lost(&self, key: &Key) -> Result<()> {
        match self.lost.contains(key) {
            true => Err(Error::new("get", ErrorKind::NotSent, "its node is down")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Store for Cluster {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.is_lost(key)?;
        self.nodes.get(key).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.nodes.put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.nodes.delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.nodes.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.nodes.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let read = self.nodes.get_many(keys).await.into_iter();
        let read = keys.iter().zip(read);
        read.map(|(key, read)| self.is_lost(key).and(read))
            .collect()
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.nodes.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.nodes.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        self.nodes.location()
    }
}

#[tokio::test]
async fn reads_of_a_lost_node_of_a_cluster_do_not_stop_those_of_the_others() {
    let lost: Vec<u32> = (100..106).collect();
    let store = Arc::new(Cluster {
        nodes: MokaStore::new(),
        lost: lost.iter().map(|film| far_key(*film)).collect(),
    });
    let process = || over(FILM, store.clone()).build().unwrap();
    for film in [7, 8] {
        process().insert(film, "kept".to_owned()).await.unwrap();
    }
    for is_batch in [false, true] {
        let one = process();
        if is_batch {
            let films: Vec<u32> = [7].into_iter().chain(lost.clone()).collect();
            let load = |films: Vec<u32>| {
                let loaded = films.into_iter().map(|film| (film, Ok("new".to_owned())));
                ready(Ok::<Vec<(u32, Result<_, Broken>)>, Broken>(
                    loaded.collect(),
                ))
            };
            let loaded = one.get_or_load_many(&films, load).await;
            assert!(loaded.iter().all(Result::is_ok), "{loaded:?}");
        } else {
            one.get(&7).await.unwrap();
            for film in &lost {
                assert!(one.get(film).await.is_none());
            }
        }
        let found = one.find_or_load(&8, || async { Err::<String, _>(Broken("asked")) });
        assert_eq!(
            found.await.unwrap().source,
            Source::Far,
            "is_batch: {is_batch}"
        );
    }
}

#[tokio::test]
async fn a_tag_on_a_lost_shard_costs_a_batch_only_the_values_that_carry_it() {
    let shards = Shards::new();
    let (one, two) = (shards.process(), shards.process());
    let films: Vec<_> = shards.films(false).take(3).collect();
    for film in &films {
        let tag = shards.tag(film == &films[1]);
        two.insert_with_tags(*film, "kept".to_owned(), [tag])
            .await
            .unwrap();
    }
    shards.switch.set(DOWN);
    let asked = Arc::new(Mutex::new(Vec::<u32>::new()));
    let load = {
        let asked = asked.clone();
        move |films: Vec<u32>| {
            asked.lock().extend(&films);
            let loaded = films.into_iter().map(|film| (film, Ok("new".to_owned())));
            ready(Ok::<Vec<(u32, Result<_, Broken>)>, Broken>(
                loaded.collect(),
            ))
        }
    };
    let loaded = one.get_or_load_many(&films, load).await;
    let loaded: Vec<_> = loaded
        .iter()
        .map(|one| one.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(loaded, ["kept", "new", "kept"]);
    assert_eq!(*asked.lock(), [films[1]]);
}

#[tokio::test]
async fn a_value_whose_tag_is_on_a_lost_shard_is_kept_near() {
    let shards = Shards::new();
    let one = shards.process();
    let (film, tag) = (shards.films(false).next().unwrap(), shards.tag(true));
    shards.switch.set(DOWN);
    let load = async |title: &'static str| {
        let tag = tag.clone();
        let load = || async move {
            let loaded = Loaded::new(title.to_owned());
            Ok::<_, Broken>(loaded.with_tags([tag]))
        };
        one.find_or_load(&film, load).await.unwrap()
    };
    assert_eq!(load("first").await.source, Source::Loaded);
    let second = load("second").await;
    assert_eq!(
        (second.source, second.value.as_str()),
        (Source::Near, "first")
    );
    assert!(shards.process().get(&film).await.is_none(), "it is not far");
    one.remove_tag(&tag).await.unwrap_err();
    assert!(one.get_near(&film).is_none());
    // Another process can have the lease at once.
    shards.switch.clear();
    let two = shards.process();
    let loaded = two.find_or_load(&film, || async { Ok::<_, Broken>("third".to_owned()) });
    assert_eq!(loaded.await.unwrap().source, Source::Loaded);
}
