//! A store over several servers, one of which is lost.

use std::sync::Arc;
use std::time::Duration;

use larder_store::{ErrorKind, Key, Kind, ManualClock, Shard, Sharded, Store};
use larder_test::ModelStore;
use larder_test::faulty::{Faulty, Switch, Trouble};

use crate::fixture::{Fixture, HOUR};

const DOWN: Trouble = Trouble::Fail(ErrorKind::NotSent);

/// A cache over two servers, of which the second can be lost.
struct Shards {
    store: Arc<Sharded>,
    lost: Arc<ModelStore>,
    switch: Switch,
    fixture: Fixture,
}

impl Shards {
    fn new() -> Self {
        let clock = ManualClock::default();
        let model = || Arc::new(ModelStore::with_clock(clock.clone()));
        let (steady, lost) = (model(), model());
        let faulty = Faulty::new(lost.clone());
        let switch = faulty.switch();
        let shards = [Shard::new("a", steady), Shard::new("b", Arc::new(faulty))];
        let store = Arc::new(Sharded::new(shards).unwrap());
        Self {
            fixture: Fixture::on(store.clone(), clock, |builder| builder),
            store,
            lost,
            switch,
        }
    }

    /// Stores a page. Returns how many records of responses, and how many tags, the second server has of it.
    async fn store_page(&self, path: &str, fields: &[(&str, &str)]) -> [usize; 2] {
        let before = self.held().await;
        self.fixture.origin.then(200, fields, "old");
        self.fixture.get(path).await;
        let [responses, tags] = self.held().await;
        [responses - before[0], tags - before[1]]
    }

    /// Returns how many records of responses, and how many tags, the second server has.
    async fn held(&self) -> [usize; 2] {
        let scan = self.lost.clone().scan().unwrap();
        let count = async |prefix| scan.page(prefix, None, 1_000).await.unwrap().keys.len();
        [count("response:").await, count("response-tag:").await]
    }
}

/// Over shards, a response of a lost server reads as absent.
#[tokio::test(start_paused = true)]
async fn an_expiry_that_meets_a_lost_shard_is_an_error_and_is_carried_out_once_it_is_back() {
    for varies in [false, true] {
        for first in [DOWN, Trouble::Hang] {
            let what = format!("{first:?}, varies: {varies}");
            let shards = Shards::new();
            let (fixture, switch) = (&shards.fixture, &shards.switch);

            // A page on the lost shard; or one of which only the variant is there.
            let vary = if varies { "accept-language" } else { "" };
            let mut paths = (0..1_000).map(|number| format!("/{number}"));
            let path = loop {
                let path = paths.next().unwrap();
                let [responses, _] = shards.store_page(&path, &[HOUR, ("vary", vary)]).await;
                let page = format!("shttp cinema.example {path}");
                let page = Key::new(Kind::evictable("response"), page);
                assert!(shards.store.get(&page).await.unwrap().is_some());
                let is_on_steady = shards.store.shard_of(&page) == "a";
                if is_on_steady == varies && responses > 0 {
                    break path;
                }
            };

            switch.set(first);
            let uri = format!("http://cinema.example{path}");
            let expiry = fixture.layer.purger().expire(&uri).await;
            assert_eq!(expiry.unwrap_err().kind(), ErrorKind::MayHaveRun, "{what}");
            // It is tried again while the server refuses connections, and later.
            switch.set(DOWN);
            tokio::time::sleep(Duration::from_secs(10)).await;
            switch.clear();
            tokio::time::sleep(Duration::from_secs(10)).await;
            let other = fixture.sibling();
            other.origin.then(200, &[HOUR, ("vary", vary)], "new");
            assert_eq!(other.get(&path).await.text(), "new", "{what}");
        }
    }
}

/// Stores a page of which only the tag is on the second server. Over shards, a tag of a lost server reads as absent.
async fn with_tag_to_lose(said: (&str, &str), vary: &str) -> (Shards, String) {
    let shards = Shards::new();
    let mut paths = (0..1_000).map(|number| format!("/{number}"));
    loop {
        let path = paths.next().unwrap();
        let fields = [said, ("vary", vary), ("cache-tag", path.as_str())];
        if shards.store_page(&path, &fields).await == [0, 1] {
            return (shards, path);
        }
    }
}

#[tokio::test]
async fn an_error_replaces_no_fresh_page_whose_tag_is_on_a_lost_shard() {
    for vary in ["", "accept-language"] {
        let (shards, path) = with_tag_to_lose(HOUR, vary).await;
        shards.switch.set(DOWN);
        let other = shards.fixture.sibling();
        other.origin.then(400, &[HOUR, ("vary", vary)], "poison");
        assert_eq!(other.get(&path).await.text(), "poison", "{vary}");
        // Whether it is purged is unknown.
        assert_eq!(other.get(&path).await.text(), "unscripted", "{vary}");
        shards.switch.clear();
        let seen = shards.fixture.sibling().get(&path).await;
        assert_eq!((seen.text(), seen.is_hit()), ("old", true), "{vary}");
    }
}

#[tokio::test]
async fn a_stale_page_of_this_process_is_served_if_its_tag_is_on_a_lost_shard() {
    for vary in ["", "accept-language"] {
        let said = ("cache-control", "max-age=5, stale-if-error=60");
        let (shards, path) = with_tag_to_lose(said, vary).await;
        shards.fixture.later(6);
        shards.switch.set(DOWN);
        shards.fixture.origin.then(503, &[], "down");
        assert_eq!(shards.fixture.get(&path).await.text(), "old", "{vary}");
        // Another process cannot tell whether it is purged.
        let other = shards.fixture.sibling();
        other.origin.then(503, &[], "down");
        assert_eq!(other.get(&path).await.text(), "down", "{vary}");
    }
}
