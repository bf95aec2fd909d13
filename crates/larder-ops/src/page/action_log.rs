use std::sync::Arc;

use larder_store::{Result, Store, Timestamp, Ttl};
use larder_structures::recent_list::RecentList;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::guard::Operator;
use crate::time::now;

/// The actions that are kept.
pub(super) const MAX_ENTRIES: u32 = 500;
/// How long the log lives after the last action.
const TTL: Ttl = Ttl::from_secs(90 * 86_400);
/// The longest name of an operator in the log, in characters.
const LONGEST: usize = 64;

/// What operators did, in the store.
pub(super) struct ActionLog(RecentList);

/// One action.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The operator, as the guard named them.
    pub(super) who: String,
    /// The name of the action.
    pub(super) what: String,
    /// What it was done to: a fingerprint, so that no key and no user is in the log.
    pub(super) target: String,
    /// How many things it changed.
    pub(super) count: u64,
    /// When, in microseconds.
    at: i64,
}

impl ActionLog {
    pub(super) fn new(store: Arc<dyn Store>) -> Result<Self> {
        let list = RecentList::new(store, "ops-log", TTL)?;
        Ok(Self(list.with_max_items(MAX_ENTRIES)))
    }

    /// Adds an action. One round trip.
    pub(super) async fn note(
        &self,
        operator: &Operator,
        what: &str,
        target: &str,
        count: u64,
    ) -> Result<()> {
        let entry = Entry {
            who: operator.name().chars().take(LONGEST).collect(),
            what: what.to_owned(),
            target: fingerprint(target),
            count,
            at: now().as_micros(),
        };
        // A structure of texts and numbers is always JSON.
        let entry = serde_json::to_vec(&entry).unwrap_or_default();
        self.0.push("all", entry).await.map(drop)
    }

    /// Returns the newest actions. One round trip.
    pub(super) async fn newest(&self, many: u32) -> Result<Vec<Entry>> {
        let page = self.0.newest("all", many).await?;
        let entries = page.items.iter();
        // What another client wrote there is left out.
        Ok(entries
            .filter_map(|item| serde_json::from_slice(&item.value).ok())
            .collect())
    }
}

impl Entry {
    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.at)
    }
}

/// Returns the first eight hexadecimal digits of the SHA-256 of a target.
pub(super) fn fingerprint(target: &str) -> String {
    let hash = Sha256::digest(target.as_bytes());
    hash.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
