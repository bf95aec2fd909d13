//! A store that lacks what structures need.

use async_trait::async_trait;
use larder_store::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Put, PutOutcome, Result, Store, Ttl,
};
use larder_test::ModelStore;

/// A store that offers nothing beside values.
#[derive(Default)]
pub(crate) struct ValuesOnly(ModelStore);

#[async_trait]
impl Store for ValuesOnly {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.0.put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.0.delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.0.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.0.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.0.get_many(keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.0.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.0.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        "values://"
    }
}
