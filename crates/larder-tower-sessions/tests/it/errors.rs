//! What an error of the store says.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, Put, PutOutcome, Result,
    Store, Ttl,
};
use larder_tower_sessions::LarderStore;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::Id;

/// A store whose server refuses every connection.
#[derive(Debug)]
struct Refused;

impl Refused {
    fn error<T>(&self) -> Result<T> {
        let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
        Err(Error::new("connect", ErrorKind::NotSent, "no server").with_source(cause))
    }
}

#[async_trait]
impl Store for Refused {
    async fn get(&self, _: &Key) -> Result<Option<Entry>> {
        self.error()
    }

    async fn put(&self, _: &Put) -> Result<PutOutcome> {
        self.error()
    }

    async fn delete(&self, _: &Delete) -> Result<DeleteOutcome> {
        self.error()
    }

    async fn expire(&self, _: &Key, _: Ttl) -> Result<ExpireOutcome> {
        self.error()
    }

    async fn ttl(&self, _: &Key) -> Result<Option<Ttl>> {
        self.error()
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        keys.iter().map(|_| self.error()).collect()
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        puts.iter().map(|_| self.error()).collect()
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        deletes.iter().map(|_| self.error()).collect()
    }

    fn location(&self) -> &str {
        "refused://"
    }
}

#[tokio::test]
async fn an_error_names_what_caused_it() {
    let sessions = LarderStore::new(Arc::new(Refused));
    let text = "connect: not sent: no server: connection refused";
    let moving = sessions.clone().with_previous(sessions.clone());
    for error in [
        sessions.load(&Id::default()).await.unwrap_err(),
        moving.load(&Id::default()).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
}
