use std::sync::Arc;
use std::time::Duration;

use larder_store::{Result, Store, Timestamp, Ttl};
use larder_structures::recent_list::RecentList;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::guard::Operator;
use crate::time::now;

/// The number of actions that are kept.
pub(super) const MAX_ENTRIES: u32 = 500;
/// How long the log lives after the last action.
const TTL: Ttl = Ttl::from_secs(90 * 86_400);
/// How long the operator sees a confirmation of an action.
const MOMENT: Duration = Duration::from_secs(60);
/// The maximum length of an operator's name in the log, in characters.
const LONGEST: usize = 64;

/// The log of operators' actions, in the store.
pub(super) struct ActionLog(RecentList);

/// One action.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The operator, as the guard named them.
    pub(super) who: String,
    /// The name of the action.
    pub(super) what: String,
    /// The target: a fingerprint, so that no key and no user is in the log.
    pub(super) target: String,
    /// How many things it changed. 0 unless it was carried out.
    pub(super) count: u64,
    /// Entries from before outcomes were recorded are of actions that were carried out.
    #[serde(default)]
    pub(super) outcome: Outcome,
    /// When, in microseconds.
    at: i64,
}

/// The outcome of an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    #[default]
    Done,
    /// The store refused it; a part may have been carried out before.
    Failed,
    /// The answer of the store was lost.
    Unknown,
    /// It exceeded its time limit, and may have been carried out in part.
    Timeout,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Timeout => "timeout",
        }
    }
}

impl ActionLog {
    pub(super) fn new(store: Arc<dyn Store>) -> Result<Self> {
        let list = RecentList::new(store, "ops-log", TTL)?;
        Ok(Self(list.with_max_items(MAX_ENTRIES)))
    }

    /// Adds an action on the target with a [`fingerprint`]. One round trip.
    pub(super) async fn note(
        &self,
        operator: &Operator,
        what: &str,
        target: String,
        (outcome, count): (Outcome, u64),
    ) -> Result<()> {
        let entry = Entry {
            who: kept(operator),
            what: what.to_owned(),
            target,
            count,
            outcome,
            at: now().as_micros(),
        };
        // A structure of texts and numbers can always be written as JSON.
        let entry = serde_json::to_vec(&entry).unwrap_or_default();
        self.0.push("all", entry).await.map(drop)
    }

    /// Returns the newest actions. One round trip.
    pub(super) async fn newest(&self, many: u32) -> Result<Vec<Entry>> {
        let page = self.0.newest("all", many).await?;
        let entries = page.items.iter();
        // Entries that another client wrote there are left out.
        Ok(entries
            .filter_map(|item| serde_json::from_slice(&item.value).ok())
            .collect())
    }
}

impl Entry {
    /// Returns whether an operator did this a moment ago.
    pub(super) fn is_of(&self, operator: &Operator, what: &str, count: u64) -> bool {
        // Another client may have written any time.
        let age = now().as_micros().saturating_sub(self.at);
        self.who == kept(operator)
            && self.what == what
            && (self.outcome, self.count) == (Outcome::Done, count)
            && age < MOMENT.as_micros() as i64
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.at)
    }
}

/// Returns the name of an operator as stored in the log.
fn kept(operator: &Operator) -> String {
    operator.name().chars().take(LONGEST).collect()
}

/// Returns the first eight hexadecimal digits of the SHA-256 of a target.
pub(super) fn fingerprint(target: &str) -> String {
    let hash = Sha256::digest(target.as_bytes());
    hash.iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_another_client_confirms_nothing_whatever_its_time() {
        let operator = Operator::new("root");
        let of = |at| {
            let text =
                format!(r#"{{"who":"root","what":"purge-tag","target":"","count":1,"at":{at}}}"#);
            let entry: Entry = serde_json::from_str(&text).unwrap();
            entry.is_of(&operator, "purge-tag", 1)
        };
        assert!(of(now().as_micros()));
        assert!(!of(i64::MIN) && !of(0));
    }
}
