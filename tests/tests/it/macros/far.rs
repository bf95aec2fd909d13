//! Two processes that share a store, in process and on Redis.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larder_cache::{Cache, Tier};
use larder_macros::{cached, invalidates};
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{Store, Ttl};
use larder_test::server::RedisServer;

use super::{FILM, Runs};

#[derive(Clone)]
struct Films {
    titles: Cache<u32, String>,
    runs: Runs,
}

impl Films {
    fn over(store: &Arc<dyn Store>, runs: &Runs) -> Self {
        let titles = Cache::builder(FILM, Ttl::from_secs(60))
            .with_far(store.clone())
            .with_store_timeout(Duration::from_secs(10))
            .with_negative_ttl(Ttl::from_secs(60))
            .build()
            .unwrap();
        let runs = runs.clone();
        Self { titles, runs }
    }

    #[cached(cache = self.titles, key = id, tags = [format!("film {id}"), "films".to_owned()])]
    async fn title(&self, id: u32) -> String {
        self.runs.add();
        format!("film {id}")
    }

    #[cached(cache = self.titles, key = id, ttl = Ttl::from_secs(1), tags = [format!("film {id}")])]
    async fn missing(&self, id: u32) -> Option<String> {
        self.runs.add();
        None
    }

    #[invalidates(cache = self.titles, key = id)]
    async fn rename(&self, id: u32) -> larder_store::Result<()> {
        Ok(())
    }

    #[invalidates(cache = self.titles, tags = [format!("film {id}")])]
    async fn show(&self, id: u32) -> larder_store::Result<()> {
        Ok(())
    }

    #[invalidates(cache = self.titles, tags = ["films"], log_errors)]
    async fn import(&self) {}

    #[invalidates(cache = self.titles, key = id, log_errors)]
    async fn hang(&self, id: u32) {
        pending().await
    }

    #[invalidates(cache = self.titles, tags = ["films"], log_errors)]
    async fn hang_import(&self) {
        pending().await
    }
}

async fn two_processes_share_what_a_method_returned(store: Arc<dyn Store>) {
    let runs = Runs::default();
    let (one, two) = (Films::over(&store, &runs), Films::over(&store, &runs));
    for films in [&one, &two, &one] {
        assert_eq!(*films.title(7).await.unwrap(), "film 7");
    }
    assert_eq!(runs.count(), 1);
    two.rename(7).await.unwrap();
    two.title(7).await.unwrap();
    assert_eq!(runs.count(), 2);
    for changes in 0..4 {
        if changes % 2 == 0 {
            two.show(7).await.unwrap();
        } else {
            two.import().await;
        }
        assert!(Films::over(&store, &runs).titles.get(&7).await.is_none());
        two.title(7).await.unwrap();
    }
    two.show(8).await.unwrap();
    assert!(two.titles.get(&7).await.is_some());
}

#[tokio::test]
async fn that_there_is_no_value_carries_the_tags_and_has_the_negative_ttl() {
    let runs = Runs::default();
    let films = Films::over(&(Arc::new(MokaStore::new()) as Arc<dyn Store>), &runs);
    assert_eq!(films.missing(7).await.unwrap(), None);
    let explanation = films.titles.explain(&7).await;
    let Tier::Entry(absent) = explanation.far else {
        panic!("{explanation:?}");
    };
    assert!(absent.fresh_for > Duration::from_secs(20), "{absent:?}");
    assert_eq!(films.missing(7).await.unwrap(), None);
    assert_eq!(runs.count(), 1);
    films.show(7).await.unwrap();
    assert_eq!(films.missing(7).await.unwrap(), None);
    assert_eq!(runs.count(), 2);
}

#[test]
fn a_change_that_is_dropped_outside_a_runtime_leaves_no_far_value_to_be_read() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let runs = Runs::default();
    let films = Films::over(&store, &runs);
    let changes: [Pin<Box<dyn Future<Output = ()>>>; 2] =
        [Box::pin(films.hang(7)), Box::pin(films.hang_import())];
    for mut change in changes {
        runtime.block_on(async {
            films.title(7).await.unwrap();
            let first = poll_fn(|cx| Poll::Ready(change.as_mut().poll(cx))).await;
            assert!(first.is_pending());
        });
        drop(change);
        assert!(runtime.block_on(films.titles.get(&7)).is_none());
        // That call has begun to remove it for all processes.
        let removed = async {
            while Films::over(&store, &runs).titles.get(&7).await.is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let removed = async { tokio::time::timeout(Duration::from_secs(20), removed).await };
        assert!(runtime.block_on(removed).is_ok(), "it is not removed");
    }
}

#[tokio::test]
async fn two_processes_share_what_a_method_returned_in_process() {
    two_processes_share_what_a_method_returned(Arc::new(MokaStore::new())).await;
}

#[tokio::test]
async fn two_processes_share_what_a_method_returned_on_redis() {
    let server = RedisServer::start().unwrap();
    let store = RedisStore::builder(&server.url()).connect().await.unwrap();
    two_processes_share_what_a_method_returned(Arc::new(store)).await;
}
