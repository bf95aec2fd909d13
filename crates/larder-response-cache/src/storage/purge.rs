use larder_store::Condition;

use super::{PURGED_FOR, SKEW, Storage, TAG_TTL};
use crate::far::Unavailable;
use crate::key::{Primary, TAG};
use crate::record::Record;

impl Storage {
    /// Removes what a URI holds, with all its variants, and outdates what is being fetched for it.
    pub(crate) async fn purge(&self, primary: &Primary) -> Result<(), Unavailable> {
        let key = primary.far();
        let purged = self
            .far
            .put(&key, &Record::Purged, PURGED_FOR, Condition::Always)
            .await;
        // After the store: what another request reads back from it in between is removed too.
        self.front.remove(primary.as_bytes());
        self.metrics.purged();
        purged.map(drop)
    }

    /// Removes every response with this tag, and outdates those that are being fetched.
    pub(crate) async fn purge_tag(&self, tag: &str) -> Result<(), Unavailable> {
        let key = larder_store::Key::new(TAG, tag);
        let at = self.now().as_micros().to_le_bytes();
        let purged = self.far.mark(&key, at, TAG_TTL, Condition::Always).await;
        self.front.remove_all(|record| match record {
            Record::Entry(entry) => entry.tags.iter().any(|tagged| tagged.tag == tag),
            _ => false,
        });
        self.metrics.purged();
        purged.map(drop)
    }

    /// Whether a purge at `purged` outdates what was asked for at `sent`, by clocks that may differ.
    pub(super) fn outdates(purged: i64, sent: larder_store::Timestamp) -> bool {
        let skew = i64::try_from(SKEW.as_micros()).unwrap_or(0);
        purged != 0 && purged.saturating_add(skew) >= sent.as_micros()
    }
}
