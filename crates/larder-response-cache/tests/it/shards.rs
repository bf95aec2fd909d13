//! A store over several servers, one of which is lost.

use std::sync::Arc;
use std::time::Duration;

use larder_store::{ErrorKind, Key, Kind, ManualClock, Shard, Sharded, Store};
use larder_test::ModelStore;
use larder_test::faulty::{Faulty, Trouble};

use crate::fixture::{Fixture, HOUR};

/// Over shards, a response of a lost server reads as absent.
#[tokio::test(start_paused = true)]
async fn an_expiry_that_meets_a_lost_shard_is_an_error_and_is_carried_out_once_it_is_back() {
    const DOWN: Trouble = Trouble::Fail(ErrorKind::NotSent);
    for varies in [false, true] {
        for first in [DOWN, Trouble::Hang] {
            let what = format!("{first:?}, varies: {varies}");
            let clock = ManualClock::default();
            let model = || Arc::new(ModelStore::with_clock(clock.clone()));
            let (steady, lost) = (model(), model());
            let faulty = Faulty::new(lost.clone());
            let switch = faulty.switch();
            let shards = [Shard::new("a", steady), Shard::new("b", Arc::new(faulty))];
            let store = Arc::new(Sharded::new(shards).unwrap());
            let fixture = Fixture::on(store.clone(), clock.clone(), |builder| builder);

            // A page on the lost shard; or one of which only the variant is there.
            let scan = lost.scan().unwrap();
            let vary = if varies { "accept-language" } else { "" };
            let mut held = 0;
            let mut paths = (0..1_000).map(|number| format!("/{number}"));
            let path = loop {
                let path = paths.next().unwrap();
                fixture.origin.then(200, &[HOUR, ("vary", vary)], "old");
                fixture.get(&path).await;
                let page = format!("shttp cinema.example {path}");
                let page = Key::new(Kind::evictable("response"), page);
                assert!(store.get(&page).await.unwrap().is_some());
                let before = held;
                held = scan
                    .page("response:", None, 1_000)
                    .await
                    .unwrap()
                    .keys
                    .len();
                let is_on_steady = store.shard_of(&page) == "a";
                if is_on_steady == varies && held > before {
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
