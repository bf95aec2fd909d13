use larder_store::{Delete, Put, Result};
use tokio::runtime::Handle;

use crate::LarderStore;
use crate::store::{Written, request};

/// The copy in larder of a session that is being moved.
///
/// Until it is settled, the session may have been signed out meanwhile. So if this is dropped before, a task deletes
/// the copy, unless it was changed since. Outside a tokio runtime nothing does.
pub(crate) struct SessionCopy {
    store: LarderStore,
    put: Put,
    is_settled: bool,
}

impl SessionCopy {
    /// Makes a copy, which is not written yet. None if the session has expired.
    pub(crate) fn new(store: &LarderStore, record: &Written) -> Option<Self> {
        Some(Self {
            store: store.clone(),
            put: request(record)?.if_absent(),
            is_settled: true,
        })
    }

    /// Writes the copy. Returns false if there is something under this id.
    pub(crate) async fn write(&mut self) -> Result<bool> {
        self.is_settled = false;
        let LarderStore { store, timeout } = &self.store;
        let written = timeout.put(&**store, &self.put).await;
        match &written {
            Ok(outcome) => self.is_settled = !outcome.is_stored(),
            Err(error) if error.had_no_effect() => self.is_settled = true,
            // It may be there. The error that is returned is that of the put.
            Err(_) => drop(self.undo().await),
        }
        Ok(written?.is_stored())
    }

    /// Deletes the copy, unless it was changed since.
    pub(crate) async fn undo(&mut self) -> Result<()> {
        delete(&self.store, &self.put).await?;
        self.is_settled = true;
        Ok(())
    }

    /// Leaves the copy as it is.
    pub(crate) fn settle(mut self) {
        self.is_settled = true;
    }
}

impl Drop for SessionCopy {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let (store, put) = (self.store.clone(), self.put.clone());
            runtime.spawn(async move { delete(&store, &put).await });
        }
    }
}

async fn delete(LarderStore { store, timeout }: &LarderStore, put: &Put) -> Result<()> {
    let delete = Delete::new(put.key().clone()).if_version(put.version());
    let _ = timeout.delete(&**store, &delete).await?;
    Ok(())
}
