use time::OffsetDateTime;

use crate::LarderStore;

/// A [`LarderStore`] that moves sessions over from the previous store.
///
/// A session that larder does not have is read from the old store, written to larder, and then deleted from the old
/// store. For each session this happens once: two calls to larder's store, and three to the old one. So the move
/// signs nobody out. Once the old sessions have expired, use the `LarderStore` alone. A sign-out during the move
/// wins.
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
            use $core::session_store::Result;

            #[async_trait::async_trait]
            impl<Old: SessionStore> SessionStore for WithPrevious<Old> {
                async fn create(&self, record: &mut Record) -> Result<()> {
                    SessionStore::create(&self.store, record).await
                }

                async fn save(&self, record: &Record) -> Result<()> {
                    SessionStore::save(&self.store, record).await
                }

                async fn load(&self, id: &Id) -> Result<Option<Record>> {
                    if let Some(record) = SessionStore::load(&self.store, id).await? {
                        return Ok(Some(record));
                    }
                    let Some(mut record) = self.old.load(id).await? else {
                        // Another request may have just moved it.
                        return SessionStore::load(&self.store, id).await;
                    };
                    if record.expiry_date <= OffsetDateTime::now_utc() {
                        // Not every store leaves them out.
                        return Ok(None);
                    }
                    record.id = *id;
                    SessionStore::create(&self.store, &mut record).await?;
                    if record.id != *id {
                        // Another request has just moved it: what was created here is a copy.
                        SessionStore::delete(&self.store, &record.id).await?;
                        return SessionStore::load(&self.store, id).await;
                    }
                    let still = self.old.load(id).await;
                    if !matches!(still, Ok(Some(_))) {
                        // It was signed out in the meantime, or may have been.
                        SessionStore::delete(&self.store, id).await?;
                        return still.map(|_| None);
                    }
                    self.old.delete(id).await?;
                    Ok(Some(record))
                }

                async fn delete(&self, id: &Id) -> Result<()> {
                    // In this order, so that a request that is moving the session either sees that it is gone
                    // from the old store, or its copy is deleted here.
                    self.old.delete(id).await?;
                    SessionStore::delete(&self.store, id).await
                }
            }
        };
    };
}

#[cfg(feature = "v0_15")]
with_previous!(tower_sessions_core);
#[cfg(feature = "v0_14")]
with_previous!(tower_sessions_core_0_14);
