use crate::LarderStore;
use crate::store::{Read, Saved, When, Written};

/// A [`LarderStore`] that moves sessions over from the previous store.
///
/// A session that larder does not have is read from the old store, written to larder, and then deleted from the old
/// store. For each session this happens once: two calls to larder's store, and three to the old one. So the move
/// signs nobody out. Once the old sessions have expired, use the `LarderStore` alone. A sign-out during the move
/// wins, unless the old store fails at that moment and a third request saves the session.
///
/// If the old store fails, sessions that larder has are still loaded, saved and deleted. Loading any other returns
/// the error, and so does a sign-out, which has then ended the session in larder only.
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
                Error::Backend(error.to_string())
            }

            fn written(record: &Record) -> Result<Written> {
                let written = Written::new(record.id.0, record.expiry_date, &record.data);
                written.map_err(|error| Error::Encode(error.to_string()))
            }

            fn given_up() -> Error {
                let why = "another request could not move this session: try again";
                Error::Backend(why.to_owned())
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
                    Read::Absent => match stores.old.load(id).await? {
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
                    let saved = self.store.put(&written(record)?, When::Present).await;
                    let saved = saved.map_err(failed)? != Saved::Unmet;
                    // It was signed out, or another request has given the move up: then it is still in the old
                    // store, without this change.
                    match saved || self.old.load(&record.id).await?.is_none() {
                        true => Ok(()),
                        false => Err(given_up()),
                    }
                }

                async fn load(&self, id: &Id) -> Result<Option<Record>> {
                    if let Some(record) = SessionStore::load(&self.store, id).await? {
                        return Ok(Some(record));
                    }
                    let Some(mut record) = self.old.load(id).await? else {
                        // Another request may have just moved it.
                        return SessionStore::load(&self.store, id).await;
                    };
                    record.id = *id;
                    let copied = self.store.put(&written(&record)?, When::Absent).await;
                    let copy = match copied.map_err(failed)? {
                        Saved::Written(copy) => copy,
                        Saved::Unmet => return taken(self, id).await,
                        // Not every store leaves these out.
                        Saved::Expired => return Ok(None),
                    };
                    match self.old.load(id).await {
                        Ok(Some(_)) => {}
                        // It was signed out in the meantime.
                        Ok(None) => {
                            SessionStore::delete(&self.store, id).await?;
                            return Ok(None);
                        }
                        // It may have been signed out. A change of another request is not lost: that request
                        // was told that it is saved.
                        Err(error) => {
                            let deleted = self.store.delete_copy(id.0, copy).await;
                            deleted.map_err(failed)?;
                            return Err(error);
                        }
                    }
                    self.old.delete(id).await?;
                    Ok(Some(record))
                }

                async fn delete(&self, id: &Id) -> Result<()> {
                    // In this order, so that a request that is moving the session either sees that it is gone
                    // from the old store, or its copy is deleted here. Each is tried even if the other fails.
                    let old = self.old.delete(id).await;
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
