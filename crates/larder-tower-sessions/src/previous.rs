use time::OffsetDateTime;

use crate::LarderStore;
use crate::copy::SessionCopy;
use crate::store::{Read, Saved, When, Written, in_one_line};

/// A [`LarderStore`] that moves sessions over from the previous store.
///
/// A session that larder does not have is read from the old store, written to larder, and then deleted from the old
/// store. For each session this happens once: two calls to larder's store, and three to the old one. So the move
/// signs nobody out. A session that is saved before it was loaded is moved first. One whose data larder refuses stays
/// in the old store until it is saved with other data. Once the old sessions have expired, use the `LarderStore` alone.
/// A sign-out during the move ends the session, with one exception: the old store fails or the request is dropped at
/// that moment, and then a third request saves the session.
///
/// If the old store fails, sessions that larder has are still loaded, saved and deleted. Loading any other returns
/// the error, and so does a sign-out, which has then ended the session in larder only. Each call of the old store
/// ends within the timeout of larder's: see [`LarderStore::with_store_timeout`].
#[derive(Clone, Debug)]
pub struct WithPrevious<Old> {
    store: LarderStore,
    old: Old,
}

impl LarderStore {
    /// Reads sessions that larder does not have from `old`, and moves them over.
    pub fn with_previous<Old>(self, old: Old) -> WithPrevious<Old> {
        WithPrevious { store: self, old }
    }
}

/// Implements the trait of one version of tower-sessions.
macro_rules! with_previous {
    ($core:ident) => {
        const _: () = {
            use $core::SessionStore;
            use $core::session::{Id, Record};
            use $core::session_store::{Error, Result};

            fn failed(error: larder_store::Error) -> Error {
                Error::Backend(in_one_line(&error))
            }

            fn written(record: &Record) -> Result<Written> {
                let written = Written::new(record.id.0, record.expiry_date, &record.data);
                written.map_err(Error::Encode)
            }

            fn given_up() -> Error {
                let why = "another request could not move this session: try again";
                Error::Backend(why.to_owned())
            }

            /// Loads a session that has not expired.
            async fn load_old<Old: SessionStore>(
                stores: &WithPrevious<Old>,
                id: &Id,
            ) -> Result<Option<Record>> {
                let answer = async { Ok(stores.old.load(id).await) };
                let answer = stores.store.timeout.run("load from the old store", answer);
                let loaded = answer.await.map_err(failed)??;
                // Not every store leaves out those that have expired.
                Ok(loaded.filter(|record| record.expiry_date > OffsetDateTime::now_utc()))
            }

            async fn delete_old<Old: SessionStore>(
                stores: &WithPrevious<Old>,
                id: &Id,
            ) -> Result<()> {
                let answer = async { Ok(stores.old.delete(id).await) };
                let answer = stores.store.timeout.run("delete in the old store", answer);
                answer.await.map_err(failed)?
            }

            /// Moves a session that larder does not have, with the data of `change` if it is to be saved.
            async fn moved<Old: SessionStore>(
                stores: &WithPrevious<Old>,
                id: &Id,
                change: Option<&Written>,
            ) -> Result<Option<Record>> {
                let Some(mut record) = load_old(stores, id).await? else {
                    // Another request may have just moved it.
                    return SessionStore::load(&stores.store, id).await;
                };
                record.id = *id;
                let copy = match change {
                    Some(change) => SessionCopy::new(&stores.store, change),
                    None => match written(&record) {
                        Ok(whole) => SessionCopy::new(&stores.store, &whole),
                        // It stays in the old store.
                        Err(_) => return Ok(Some(record)),
                    },
                };
                let Some(mut copy) = copy else {
                    // It has expired in the meantime.
                    return Ok(None);
                };
                if !copy.write().await.map_err(failed)? {
                    return taken(stores, id).await;
                }
                match load_old(stores, id).await {
                    Ok(Some(_)) => copy.settle(),
                    // It was signed out in the meantime.
                    Ok(None) => {
                        SessionStore::delete(&stores.store, id).await?;
                        copy.settle();
                        return Ok(None);
                    }
                    // It may have been signed out. A change of another request is not lost: that request
                    // was told that it is saved.
                    Err(error) => {
                        copy.undo().await.map_err(failed)?;
                        return Err(error);
                    }
                }
                delete_old(stores, id).await?;
                Ok(Some(record))
            }

            /// Loads a session that another request has just moved.
            async fn taken<Old: SessionStore>(
                stores: &WithPrevious<Old>,
                id: &Id,
            ) -> Result<Option<Record>> {
                match stores.store.read(id.0).await.map_err(failed)? {
                    Read::Found { expiry, data } => Ok(Some(Record {
                        id: *id,
                        data,
                        expiry_date: expiry,
                    })),
                    Read::Damaged => Ok(None),
                    // The other request has given the move up, or the session was signed out.
                    Read::Absent => match load_old(stores, id).await? {
                        None => Ok(None),
                        Some(_) => Err(given_up()),
                    },
                }
            }

            #[async_trait::async_trait]
            impl<Old: SessionStore> SessionStore for WithPrevious<Old> {
                async fn create(&self, record: &mut Record) -> Result<()> {
                    SessionStore::create(&self.store, record).await
                }

                async fn save(&self, record: &Record) -> Result<()> {
                    let change = written(record)?;
                    match self
                        .store
                        .put(&change, When::Present)
                        .await
                        .map_err(failed)?
                    {
                        Saved::Written => return Ok(()),
                        // A move that was cut has left it in the old store too.
                        Saved::Expired => return SessionStore::delete(self, &record.id).await,
                        Saved::Unmet => {}
                    }
                    if moved(self, &record.id, Some(&change)).await?.is_none() {
                        // It was signed out.
                        return Ok(());
                    }
                    let saved = self.store.put(&change, When::Present).await;
                    let saved = saved.map_err(failed)? != Saved::Unmet;
                    // It was signed out, or another request has given the move up: then it is still in the old
                    // store, without this change.
                    match saved || load_old(self, &record.id).await?.is_none() {
                        true => Ok(()),
                        false => Err(given_up()),
                    }
                }

                async fn load(&self, id: &Id) -> Result<Option<Record>> {
                    match SessionStore::load(&self.store, id).await? {
                        Some(record) => Ok(Some(record)),
                        None => moved(self, id, None).await,
                    }
                }

                async fn delete(&self, id: &Id) -> Result<()> {
                    // In this order, so that a request that is moving the session either sees that it is gone
                    // from the old store, or its copy is deleted here. Each is tried even if the other fails.
                    let old = delete_old(self, id).await;
                    let new = SessionStore::delete(&self.store, id).await;
                    old.and(new)
                }
            }
        };
    };
}

#[cfg(feature = "v0_15")]
with_previous!(tower_sessions_core);
#[cfg(feature = "v0_14")]
with_previous!(tower_sessions_core_0_14);
