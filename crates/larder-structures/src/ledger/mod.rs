//! A ledger: amounts that move between accounts, each request at most once.

mod outcome;
mod programs;
mod record;
#[cfg(test)]
mod traces;

use std::sync::Arc;

use larder_store::program::{Inspection, MAX_INT};
use larder_store::{Error, ErrorKind, KeyId, Refusal, Result, Store, Ttl};

use crate::member;
use crate::records::{Records, debug_name};

pub use outcome::{Closed, First, Moved, Transfer};
use outcome::{closed, moved};
use programs::{Apply, Outcome, ReadBalances, Request};
pub use record::{InspectLedger, LedgerRecord};

/// Moves amounts between the accounts of one record, each request at most once.
///
/// Each request has an id that the caller chooses. A repeated id changes nothing and returns the first
/// result: so after a lost reply, send the same request again to learn its result. An id is remembered
/// for [`with_retention`](Self::with_retention), a day by default; using it for another request is an
/// error. An account never goes below 0. Only [`credit`](Self::credit) creates an amount, and only
/// [`settle`](Self::settle) can take one out of the ledger: [`total`](Self::total) returns the sum.
/// Amounts are integers from 1 to 2^53, and so is the total: money in cents.
///
/// A ledger holds at most 10,000 accounts with a balance, and remembers at most 100,000 ids; any further
/// request is refused, except a release, which gives back what is held. Accounts and ids are 1 to 256
/// bytes of text. Each request that is carried out restarts the TTL of the whole ledger. Each method
/// takes one round trip, or none in process.
///
/// No step spans two ledgers. To move an amount from one to another, hold it in the first, credit it in
/// the second, and settle the hold; each step can be repeated, so a process that restarts continues where
/// it was.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Result, Store, Ttl};
/// use larder_structures::ledger::{Ledger, Moved, Transfer};
///
/// async fn pay(store: Arc<dyn Store>, order: &str) -> Result<bool> {
///     let ledger = Ledger::new(store, "wallets", Ttl::from_secs(365 * 86_400))?;
///     let transfer = Transfer { id: order, from: "ada", to: "cinema", amount: 1_250 };
///     Ok(match ledger.transfer("eur", transfer).await? {
///         Moved::Done | Moved::Duplicate(larder_structures::ledger::First::Done) => true,
///         Moved::Insufficient | Moved::Duplicate(_) => false,
///     })
/// }
/// ```
#[derive(Clone)]
pub struct Ledger {
    records: Records<LedgerRecord>,
    ttl: Ttl,
    retention: Ttl,
    max_accounts: u32,
    max_requests: u32,
}

debug_name!(Ledger, records.name);

impl Ledger {
    /// Makes the ledgers called `name`, each of which lives for `ttl` after its last request.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`. When the TTL ends,
    /// all balances are lost: choose it far longer than the ledger may ever be unused.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        Ok(Self {
            records: Records::new(store, name, "a ledger")?,
            ttl,
            retention: Ttl::from_secs(86_400),
            max_accounts: 10_000,
            max_requests: 100_000,
        })
    }

    /// Sets how long the id of a request is remembered after it was carried out. The default is a day.
    ///
    /// An open hold is remembered until it is closed.
    #[must_use]
    pub fn with_retention(mut self, retention: Ttl) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the maximum number of accounts with a balance, at least 1; 0 counts as 1. The default is 10,000.
    #[must_use]
    pub fn with_max_accounts(mut self, accounts: u32) -> Self {
        self.max_accounts = accounts.max(1);
        self
    }

    /// Sets the maximum number of remembered ids, at least 1; 0 counts as 1. The default is 100,000.
    #[must_use]
    pub fn with_max_requests(mut self, requests: u32) -> Self {
        self.max_requests = requests.max(1);
        self
    }

    /// Moves an amount from one account to another, in the ledger `ledger`.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Invalid`] if the id belongs to another request, or a name or the
    /// amount is out of its bounds; [`Refusal::Full`] if there is no room for another account or id. The
    /// amount may have been moved only after [`ErrorKind::MayHaveRun`]: send the same request again.
    ///
    /// # Cancellation
    /// The amount may or may not have been moved, whole.
    pub async fn transfer(&self, ledger: impl KeyId, transfer: Transfer<'_>) -> Result<Moved> {
        let request = Request::Transfer {
            from: member::one("transfer", transfer.from)?,
            to: member::one("transfer", transfer.to)?,
            amount: amount("transfer", transfer.amount)?,
        };
        let outcome = self.apply(ledger, "transfer", transfer.id, request).await?;
        moved("transfer", outcome)
    }

    /// Creates an amount in an account: from outside, or from another ledger.
    ///
    /// # Errors
    /// Those of [`transfer`](Self::transfer), and [`ErrorKind::Invalid`] if the total would be past
    /// 2^53.
    ///
    /// # Cancellation
    /// It may or may not have been credited.
    pub async fn credit(
        &self,
        ledger: impl KeyId,
        id: &str,
        account: &str,
        by: i64,
    ) -> Result<Moved> {
        let request = Request::Credit {
            to: member::one("credit", account)?,
            amount: amount("credit", by)?,
        };
        moved("credit", self.apply(ledger, "credit", id, request).await?)
    }

    /// Sets an amount of an account aside, until the hold is settled or released.
    ///
    /// The id of the request is the id of the hold. The hold does not end by itself.
    ///
    /// # Errors
    /// Those of [`transfer`](Self::transfer).
    ///
    /// # Cancellation
    /// The amount may or may not have been set aside.
    pub async fn hold(
        &self,
        ledger: impl KeyId,
        id: &str,
        account: &str,
        held: i64,
    ) -> Result<Moved> {
        let request = Request::Hold {
            from: member::one("hold", account)?,
            amount: amount("hold", held)?,
        };
        moved("hold", self.apply(ledger, "hold", id, request).await?)
    }

    /// Moves the amount of a hold to `account`, or out of the ledger if that is None.
    ///
    /// # Errors
    /// Those of [`transfer`](Self::transfer).
    ///
    /// # Cancellation
    /// The hold may or may not have been settled.
    pub async fn settle(
        &self,
        ledger: impl KeyId,
        hold: &str,
        account: Option<&str>,
    ) -> Result<Closed> {
        let to = account.map(|account| member::one("settle", account));
        let request = Request::Settle {
            to: to.transpose()?,
        };
        closed("settle", self.apply(ledger, "settle", hold, request).await?)
    }

    /// Returns the amount of a hold to its account, for which there is always room.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if the id is out of its bounds.
    ///
    /// # Cancellation
    /// The hold may or may not have been released.
    pub async fn release(&self, ledger: impl KeyId, hold: &str) -> Result<Closed> {
        let request = Request::Release;
        closed(
            "release",
            self.apply(ledger, "release", hold, request).await?,
        )
    }

    /// Returns the balance of an account, without held amounts.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] if the name is out of its bounds.
    pub async fn balance(&self, ledger: impl KeyId, account: &str) -> Result<i64> {
        let balances = self.balances(ledger, [account]).await?;
        Ok(balances.first().copied().unwrap_or(0))
    }

    /// Returns the balances of some accounts, at most 1,000, all at one moment.
    ///
    /// # Errors
    /// Those of [`balance`](Self::balance).
    pub async fn balances(
        &self,
        ledger: impl KeyId,
        accounts: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<i64>> {
        let accounts = member::all("balances", accounts)?;
        self.records.run(ledger, &ReadBalances { accounts }).await
    }

    /// Returns the sum of all accounts and held amounts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn total(&self, ledger: impl KeyId) -> Result<i64> {
        let accounts = vec!["".into()];
        let total = self.records.run(ledger, &ReadBalances { accounts }).await?;
        Ok(total.first().copied().unwrap_or(0))
    }

    /// Returns a summary of the ledger, for people and tools. It names no account. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, ledger: impl KeyId) -> Result<Inspection> {
        self.records.inspect(ledger).await
    }

    async fn apply(
        &self,
        ledger: impl KeyId,
        operation: &'static str,
        id: &str,
        request: Request,
    ) -> Result<Outcome> {
        let apply = Apply {
            request,
            id: member::one(operation, id)?,
            retention: self.retention,
            ttl: self.ttl,
            max_requests: self.max_requests,
            max_accounts: self.max_accounts,
        };
        self.records.run(ledger, &apply).await
    }
}

fn amount(operation: &'static str, amount: i64) -> Result<i64> {
    if (1..=MAX_INT).contains(&amount) {
        return Ok(amount);
    }
    Err(Error::new(
        operation,
        ErrorKind::Invalid,
        "an amount must be from 1 to 2^53: to move it back, swap `from` and `to`",
    ))
}

fn refused(operation: &'static str, outcome: Outcome) -> Error {
    let (kind, text) = match outcome {
        Outcome::Full => (
            ErrorKind::Refused(Refusal::Full),
            "the ledger has no room for another account or id: see with_max_accounts and \
             with_max_requests",
        ),
        Outcome::Past => (
            ErrorKind::Invalid,
            "the total of the ledger would be past 2^53, so nothing was credited",
        ),
        _ => (
            ErrorKind::Invalid,
            "another request has this id: give each request its own",
        ),
    };
    Error::new(operation, kind, text)
}
