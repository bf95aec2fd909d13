use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use larder_store::program::prelude::*;

/// The record of a ledger, for [`inspect`](larder_store::program::Programs#method.inspect).
///
/// On Redis the balances are one hash, the requests by id another, and a sorted set holds the time at
/// which each id is forgotten.
#[derive(Debug, Default)]
pub struct LedgerRecord {
    /// Balances, none of them zero.
    pub(super) accounts: HashMap<Arc<str>, i64>,
    /// The sum of all accounts and holds.
    pub(super) total: i64,
    pub(super) requests: HashMap<Arc<str>, Kept>,
    /// When the ids are forgotten, in microseconds. Open holds are not forgotten.
    pub(super) due: BTreeSet<(i64, Arc<str>)>,
}

record! {
    LedgerRecord, Kind::record("ledger").partitioned(), parts ["", "done", "due"];
    /// Shows people and tools the number of accounts and requests, and the total. It names none.
    pub InspectLedger = "ledger-inspect",
    "local ids = redis.call('HLEN', KEYS[2])
     local total = redis.call('HGET', KEYS[1], '')
     local accounts = redis.call('HLEN', KEYS[1]) - (total and 1 or 0)
     if ids == 0 and not total then return {} end
     return {'accounts', accounts, 'total', total or 0, 'requests', ids,
       'to_forget', redis.call('ZCARD', KEYS[3])}",
    |held, shown| shown
        .with("accounts", held.accounts.len())
        .with("total", held.total)
        .with("requests", held.requests.len())
        .with("to_forget", held.due.len()),
}

/// A request as stored under its id.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The fingerprint of the request.
    pub(super) print: Fingerprint,
    pub(super) state: State,
    /// When it is forgotten, in microseconds; None for an open hold.
    pub(super) due: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) enum State {
    Done,
    Insufficient,
    Held { account: Arc<str>, amount: i64 },
    Settled(Fingerprint),
    Released(Fingerprint),
}

/// Sixteen hexadecimal digits that identify a request.
pub(super) type Fingerprint = [u8; 16];

/// The number of expired ids that one step forgets.
const FORGOTTEN: usize = 64;

impl LedgerRecord {
    pub(super) fn balance(&self, account: &str) -> i64 {
        match account {
            "" => self.total,
            account => self.accounts.get(account).copied().unwrap_or(0),
        }
    }

    pub(super) fn add(&mut self, account: &Arc<str>, by: i64) {
        match self.balance(account) + by {
            0 => {
                self.accounts.remove(account);
            }
            sum => {
                self.accounts.insert(account.clone(), sum);
            }
        }
    }

    /// Returns the request of an id, unless it has expired.
    pub(super) fn kept(&self, id: &str, now: i64) -> Option<&Kept> {
        let kept = self.requests.get(id)?;
        kept.due.is_none_or(|due| due > now).then_some(kept)
    }

    pub(super) fn keep(&mut self, id: &Arc<str>, kept: Kept) {
        if let Some(due) = kept.due {
            self.due.insert((due, id.clone()));
        }
        let before = self.requests.insert(id.clone(), kept.clone());
        if let Some(due) = before.and_then(|before| before.due)
            && Some(due) != kept.due
        {
            self.due.remove(&(due, id.clone()));
        }
    }

    pub(super) fn forget(&mut self, now: i64) {
        for _ in 0..FORGOTTEN {
            let Some(first) = self.due.first().filter(|first| first.0 <= now).cloned() else {
                return;
            };
            self.requests.remove(&first.1);
            self.due.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_kept_again_is_forgotten_at_its_last_time_only() {
        let mut record = LedgerRecord::default();
        let id: Arc<str> = "id".into();
        for due in [10, 30, 30] {
            let kept = Kept {
                print: [b'0'; 16],
                state: State::Done,
                due: Some(due),
            };
            record.keep(&id, kept);
        }
        record.forget(20);
        assert!(record.kept(&id, 20).is_some());
        record.forget(30);
        assert!(record.requests.is_empty() && record.due.is_empty());
    }
}
