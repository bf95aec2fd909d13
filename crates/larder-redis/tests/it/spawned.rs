//! A store can be made wherever an app makes one: in a task, in a handler, in a trait.

use async_trait::async_trait;
use larder_redis::RedisStore;
use larder_redis::redis::bb8_redis::{RedisConnectionManager, bb8::Pool};
use larder_redis::redis::from_pool;
use larder_store::{Result, Store};

use crate::support::{key, server};

#[async_trait]
trait Opens {
    async fn open(&self, url: &str) -> Result<RedisStore>;
}

struct App;

#[async_trait]
impl Opens for App {
    async fn open(&self, url: &str) -> Result<RedisStore> {
        RedisStore::connect(url).await
    }
}

#[tokio::test]
async fn a_store_of_any_form_is_made_in_a_task_of_its_own() {
    let server = server();
    let (url, pool_url) = (server.url(), server.url());
    let made = [
        tokio::spawn({
            let url = url.clone();
            async move { RedisStore::connect(&url).await }
        }),
        tokio::spawn(async move { App.open(&url).await }),
        tokio::spawn(async move {
            let manager = RedisConnectionManager::new(pool_url).unwrap();
            from_pool(Pool::builder().build(manager).await.unwrap())
                .connect()
                .await
        }),
    ];
    for store in made {
        let store = store.await.unwrap().unwrap();
        assert_eq!(store.get(&key(1)).await.unwrap(), None);
    }
    for url in [
        "redis+cluster://127.0.0.1:1",
        "redis+sentinel://127.0.0.1:1/x",
    ] {
        let store = tokio::spawn(async move { RedisStore::connect(url).await });
        assert!(store.await.unwrap().is_err());
    }
}
