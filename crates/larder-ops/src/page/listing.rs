use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::program::Record;
use larder_store::scan::Scan;
use larder_store::{Key, Store};

use super::background::Background;
use super::patience::PATIENCE;
use crate::records::{self, Listed as Whole};

/// The maximum number of records of a kind that are listed.
pub(super) const MOST: usize = 200;
/// Older listings are made again.
const MAX_AGE: Duration = Duration::from_secs(3);
/// The time limit of a listing, which is paced on a full server.
const WITHIN: Duration = Duration::from_secs(300);

/// Lists the records of one kind in the background, because that visits all keys of the store.
pub(super) struct Listing {
    /// Records that are known without a listing.
    known: Vec<Key>,
    scan: Option<Arc<dyn Scan>>,
    found: Background<Result<Arc<Whole>, String>>,
    seen: Arc<Seen>,
}

/// The results of the last complete listing, and of later ones that did not end.
#[derive(Default)]
struct Seen(Mutex<Vec<Key>>);

/// The result of a listing.
pub(super) struct Listed {
    pub(super) keys: Vec<Key>,
    /// Why it is incomplete, or outdated.
    pub(super) caveat: Option<String>,
}

impl Listing {
    pub(super) fn new(store: &Arc<dyn Store>, known: Vec<Key>) -> Self {
        Self {
            known,
            scan: store.clone().scan(),
            found: Background::new(),
            seen: Arc::default(),
        }
    }

    /// Makes the next listing start again, because something has changed.
    pub(super) fn forget(&self) {
        self.found.forget();
    }

    pub(super) async fn keys<R: Record>(&self) -> Listed {
        let (found, caveat) = self.find::<R>().await;
        let new = self.known.iter();
        let new = new.filter(|known| !found.keys.contains(known));
        let mut keys: Vec<_> = new.chain(&found.keys).cloned().collect();
        let is_cut = found.has_more || keys.len() > MOST;
        keys.truncate(MOST);
        Listed {
            keys,
            caveat: match is_cut {
                true => Some(format!("There are more: only {MOST} are shown.")),
                false => caveat,
            },
        }
    }

    async fn find<R: Record>(&self) -> (Arc<Whole>, Option<String>) {
        let Some(scan) = self.scan.clone() else {
            let caveat = "This store lists no keys.".to_owned();
            return (Arc::default(), Some(caveat));
        };
        let seen = self.seen.clone();
        let list = async move {
            let listed = records::list::<R>(&*scan, "", MOST, |new| seen.add(new)).await;
            let listed = listed.map_err(|error| error.to_string())?;
            seen.lock().clone_from(&listed.keys);
            Ok(Arc::new(listed))
        };
        let latest = self.found.latest(MAX_AGE, PATIENCE / 2, WITHIN, list).await;
        let age = latest.age.as_secs();
        let why = match latest.found {
            Some(Ok(keys)) => return (keys, (age > 10).then(|| format!("Listed {age} s ago."))),
            Some(Err(error)) => format!("The keys of the store could not be listed: {error}."),
            None if latest.is_late => format!(
                "The keys of the store could not be listed within {} s. It is tried again later.",
                WITHIN.as_secs()
            ),
            None => "The keys of the store are being listed, which takes a while; or it does not answer."
                .to_owned(),
        };
        let partial = Whole {
            keys: self.seen.lock().clone(),
            has_more: false,
        };
        let caveat = match partial.keys.is_empty() {
            true => why,
            false => format!("Partial: some are missing. {why}"),
        };
        (Arc::new(partial), Some(caveat))
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Vec<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, new: &[Key]) {
        let mut keys = self.lock();
        for key in new {
            // One more than are shown, to see whether there are more.
            if keys.len() <= MOST && !keys.contains(key) {
                keys.push(key.clone());
            }
        }
    }
}
