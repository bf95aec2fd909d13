//! The judge of the answers to operations of which some are dropped.

use std::sync::Arc;

use async_trait::async_trait;
use larder_proofs::cancel::on;
use larder_store::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Kind, Put, PutOutcome, Result, Store, Ttl,
};
use larder_test::ModelStore;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Each TTL is that of one key.
    TtlOfAnother,
    /// `get_many` leaves out its last answer.
    LastAnswerIsMissing,
}

struct Faulty(ModelStore, Option<Fault>);

#[async_trait]
impl Store for Faulty {
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
        let another = Key::new(Kind::pinned("note"), 500_u32);
        match self.1 {
            Some(Fault::TtlOfAnother) => self.0.ttl(&another).await,
            _ => self.0.ttl(key).await,
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let missing = usize::from(self.1 == Some(Fault::LastAnswerIsMissing));
        self.0.get_many(&keys[..keys.len() - missing]).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.0.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.0.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        self.0.location()
    }
}

#[tokio::test]
async fn an_answer_of_another_key_or_of_too_few_keys_is_noticed() {
    for fault in [
        None,
        Some(Fault::TtlOfAnother),
        Some(Fault::LastAnswerIsMissing),
    ] {
        let store: Arc<dyn Store> = Arc::new(Faulty(ModelStore::new(), fault));
        let tally = on(&store, 2_000, 1).await;
        assert!(tally.answered() > 100, "{tally:?}");
        assert_eq!(tally.wrong() > 0, fault.is_some(), "{tally:?}");
    }
}
