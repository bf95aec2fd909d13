use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use larder_store::bus::Bus;
use larder_store::lease::Leases;
use larder_store::program::Programs;
use larder_store::scan::Scan;
use larder_store::wait::Waits;
use larder_store::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Put, PutOutcome, Result, Space, Store, Ttl,
};

use super::{BrokenStore, Fault};

#[async_trait]
impl Store for BrokenStore {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.broken_get(key).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        if put.key().kind().space() == Space::Evictable {
            let key = put.key().as_str().to_owned();
            self.memory.lock().evictable.insert(key);
        }
        self.release_by(Fault::PutEndsLease, put.key());
        self.broken_put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.release_by(Fault::DeleteEndsLease, delete.key());
        self.broken_delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.broken_expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.broken_ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.broken_get_many(keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.broken_put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.broken_delete_many(deletes).await
    }

    fn location(&self) -> &str {
        match self.fault {
            Some(Fault::LocationHasPassword) => "broken://ada:secret@localhost",
            Some(Fault::LocationHasPasswordOption) => "broken:///run/socket?pass=secret",
            _ => "broken://",
        }
    }

    // Pending, unless the fault is in the synchronous form: so each fault shows in one of the two forms.
    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        self.broken_get_now(key)
    }

    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        self.broken_put_now(put)
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        self.broken_delete_now(delete)
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        Some(self)
    }

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        Some(self)
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        Some(self)
    }

    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        Some(self)
    }

    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        Some(self)
    }
}
