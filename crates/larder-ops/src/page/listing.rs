use std::sync::Arc;
use std::time::Duration;

use larder_store::program::Record;
use larder_store::scan::Scan;
use larder_store::{Key, Result, Store};

use super::background::Background;
use super::patience::PATIENCE;
use crate::records;

/// The most records of a kind that are listed.
pub(super) const MOST: usize = 200;
/// A listing that is older is made anew.
const MAX_AGE: Duration = Duration::from_secs(3);
/// A listing of a full server is paced, and may take this long.
const WITHIN: Duration = Duration::from_secs(300);

/// Lists the records of one kind in the background, because that visits all keys of the store.
pub(super) struct Listing {
    /// Records that are there without being looked for.
    known: Vec<Key>,
    scan: Option<Arc<dyn Scan>>,
    found: Background<std::result::Result<Arc<[Key]>, String>>,
}

/// What a listing found.
pub(super) struct Listed {
    pub(super) keys: Vec<Key>,
    /// Why it is not all, or not of now.
    pub(super) caveat: Option<String>,
}

impl Listing {
    pub(super) fn new(store: &Arc<dyn Store>, known: Vec<Key>) -> Self {
        Self {
            known,
            scan: store.clone().scan(),
            found: Background::new(),
        }
    }

    /// Makes the next listing start anew, because something has changed.
    pub(super) fn forget(&self) {
        self.found.forget();
    }

    pub(super) async fn keys<R: Record>(&self) -> Listed {
        let (found, caveat) = self.find::<R>().await;
        let new = self.known.iter().filter(|known| !found.contains(known));
        let mut keys: Vec<_> = new.chain(&*found).cloned().collect();
        let is_cut = keys.len() > MOST;
        keys.truncate(MOST);
        Listed {
            keys,
            caveat: match is_cut {
                true => Some(format!("There are more: only {MOST} are shown.")),
                false => caveat,
            },
        }
    }

    async fn find<R: Record>(&self) -> (Arc<[Key]>, Option<String>) {
        let nothing = |caveat: String| (Arc::from([]), Some(caveat));
        let Some(scan) = self.scan.clone() else {
            return nothing("This store lists no keys.".to_owned());
        };
        let list = async move {
            let keys: Result<Vec<_>> = records::list::<R>(&*scan, "", MOST + 1, |_| ()).await;
            keys.map(Arc::from).map_err(|error| error.to_string())
        };
        let latest = self.found.latest(MAX_AGE, PATIENCE / 2, WITHIN, list).await;
        let age = latest.age.as_secs();
        match latest.found {
            None if latest.is_late => nothing(format!(
                "The keys of the store could not be listed within {} s. It is tried again later.",
                WITHIN.as_secs()
            )),
            None => nothing(
                "The keys of the store are being listed, which takes a while; or it does not answer."
                    .to_owned(),
            ),
            Some(Err(error)) => nothing(format!("The keys of the store could not be listed: {error}.")),
            Some(Ok(keys)) => (keys, (age > 10).then(|| format!("Listed {age} s ago."))),
        }
    }
}
