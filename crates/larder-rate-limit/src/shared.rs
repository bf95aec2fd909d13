use std::hash::{BuildHasher, RandomState};

use larder_store::Key;

use crate::decision::{Account, Sharing};
use crate::usage::RuleArgs;

/// Quotas for visitors for whom an in-process store has no room.
///
/// A random hash assigns them, so no client can choose whose quota it uses up. Visitors with other rules, by their
/// plans, have other quotas: they would forget the counts of each other.
#[derive(Clone, Default)]
pub(crate) struct SharedQuotas(RandomState);

impl SharedQuotas {
    /// Large enough that a flood uses up few of the quotas of other visitors.
    pub(crate) const NUMBER: u16 = 1_024;

    /// Returns the accounts for a visitor who is counted by `rules`, in the order in which they are tried.
    ///
    /// The last of them has room if the store has room for any record, unless its partition is one of those that a
    /// store no longer keeps apart. Visitors with different rules may forget the counts of each other there, so it is
    /// used only where the store would otherwise count as failing.
    pub(crate) fn accounts(&self, rules: &[RuleArgs]) -> [Account; 3] {
        let rules = self.hash(rules);
        [Sharing::Few, Sharing::SameRules, Sharing::All].map(|by| Account::Shared(by, rules))
    }

    /// Returns whether it is a shared account that was charged by other rules than these.
    pub(crate) fn is_of_other_rules(&self, account: Account, rules: &[RuleArgs]) -> bool {
        matches!(account, Account::Shared(_, charged) if charged != self.hash(rules))
    }

    /// Returns the key of the record by which the visitor with `key` is counted.
    ///
    /// The shared ones are in partitions whose names no policy can have, so they have room when the visitor's own
    /// partition has none.
    pub(crate) fn key(&self, account: Account, policy: &str, key: Key) -> Key {
        let Account::Shared(sharing, rules) = account else {
            return key;
        };
        match sharing {
            Sharing::Few => {
                // A remainder of a u16.
                let number = (self.0.hash_one(&key) % u64::from(Self::NUMBER)) as u16;
                Key::new(key.kind(), (format!("~{policy}"), number, rules))
            }
            Sharing::SameRules => Key::new(key.kind(), (format!("~~{policy}"), rules)),
            Sharing::All => Key::new(key.kind(), (format!("~~~{policy}"), "all")),
        }
    }

    /// Returns half of a hash, which keeps decisions small.
    fn hash(&self, rules: &[RuleArgs]) -> u32 {
        (self.0.hash_one(rules) >> 32) as u32
    }
}
