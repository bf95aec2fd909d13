use std::hash::{BuildHasher, RandomState};

use larder_store::Key;

use crate::decision::Account;
use crate::usage::RuleArgs;

/// Quotas for visitors for whom an in-process store has no room.
///
/// A random hash assigns them, so no client can choose whose quota it uses up.
#[derive(Clone, Default)]
pub(crate) struct SharedQuotas(RandomState);

impl SharedQuotas {
    /// Large enough that a flood uses up few of the quotas of other visitors.
    pub(crate) const NUMBER: u16 = 1_024;

    /// Returns the key of the quota that decides for the visitor with `key`.
    ///
    /// A shared quota is in a partition whose name no policy can have, so it has room when the
    /// visitor's own partition has none; the last one is in a partition of its own. Visitors with other rules, by
    /// their plans, have other quotas: they would forget the counts of each other.
    pub(crate) fn key(&self, account: Account, policy: &str, rules: &[RuleArgs], key: Key) -> Key {
        match account {
            Account::Own => key,
            Account::Shared => {
                // A remainder of a u16.
                let number = (self.0.hash_one(&key) % u64::from(Self::NUMBER)) as u16;
                let rules = self.0.hash_one(rules);
                Key::new(key.kind(), (format!("~{policy}"), number, rules))
            }
            Account::Last => {
                let rules = self.0.hash_one(rules);
                Key::new(key.kind(), (format!("~~{policy}"), rules))
            }
        }
    }
}
