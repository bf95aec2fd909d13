//! Quotas that visitors share for whom a store in this process has no room.

use std::hash::{BuildHasher, RandomState};

use larder_store::{Error, ErrorKind, Key, Record, Refusal};

use crate::decision::Account;
use crate::program::Tat;

/// Which quota a visitor shares. Nobody outside can tell, so nobody can choose whose it uses up.
#[derive(Clone, Default)]
pub(crate) struct SharedQuotas(RandomState);

impl SharedQuotas {
    /// Many, so that those who flood use up few of the quotas of those who do not.
    pub(crate) const NUMBER: u16 = 1_024;

    /// The key of the quota that decides for the visitor with `key`. One that is shared is in a partition
    /// that no policy has the name of, so that there is room for it where there is none for the visitor;
    /// and the last is in one of its own.
    pub(crate) fn key(&self, account: Account, policy: &str, key: Key) -> Key {
        match account {
            Account::Own => key,
            Account::Shared => {
                // A remainder of a u16.
                let number = (self.0.hash_one(&key) % u64::from(Self::NUMBER)) as u16;
                Key::new(Tat::KIND, (format!("~{policy}"), number))
            }
            Account::Last => Key::new(Tat::KIND, (format!("~~{policy}"), "last")),
        }
    }
}

/// Whether a store has no room for one more visitor.
pub(crate) fn is_full(error: &Error) -> bool {
    error.kind() == ErrorKind::Refused(Refusal::Full)
}
