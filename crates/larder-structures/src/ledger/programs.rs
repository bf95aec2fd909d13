use std::sync::Arc;

use bytes::Bytes;
use larder_store::program::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::record::{Fingerprint, Kept, LedgerRecord, State};
use crate::number::int_lua;

/// Carries out one request, unless its id was used before.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    pub(super) request: Request,
    pub(super) id: Arc<str>,
    pub(super) retention: Ttl,
    pub(super) ttl: Ttl,
    pub(super) max_requests: u32,
    pub(super) max_accounts: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum Request {
    Transfer {
        from: Arc<str>,
        to: Arc<str>,
        amount: i64,
    },
    Credit {
        to: Arc<str>,
        amount: i64,
    },
    Hold {
        from: Arc<str>,
        amount: i64,
    },
    /// To an account, or out of the ledger.
    Settle {
        to: Option<Arc<str>>,
    },
    Release,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Insufficient,
    /// The first result was `Done`.
    DuplicateDone,
    DuplicateInsufficient,
    /// The hold was closed in another way.
    Contrary,
    /// There is no such hold.
    Unknown,
    /// The id belongs to another request.
    Conflict,
    /// The total would be past 2^53.
    Past,
    /// There is no room for another account or id.
    Full,
}

impl Request {
    fn name(&self) -> &'static str {
        match self {
            Self::Transfer { .. } => "transfer",
            Self::Credit { .. } => "credit",
            Self::Hold { .. } => "hold",
            Self::Settle { .. } => "settle",
            Self::Release => "release",
        }
    }

    fn from(&self) -> Option<&Arc<str>> {
        match self {
            Self::Transfer { from, .. } | Self::Hold { from, .. } => Some(from),
            _ => None,
        }
    }

    fn to(&self) -> Option<&Arc<str>> {
        match self {
            Self::Transfer { to, .. } | Self::Credit { to, .. } => Some(to),
            Self::Settle { to } => to.as_ref(),
            _ => None,
        }
    }

    fn amount(&self) -> i64 {
        match self {
            Self::Transfer { amount, .. } | Self::Credit { amount, .. } => *amount,
            Self::Hold { amount, .. } => *amount,
            _ => 0,
        }
    }

    fn closes(&self) -> bool {
        matches!(self, Self::Settle { .. } | Self::Release)
    }

    /// Returns a hash of the request's content.
    fn fingerprint(&self) -> Fingerprint {
        let text = |account: Option<&Arc<str>>| account.map_or("", |account| account).to_owned();
        let (from, to) = (text(self.from()), text(self.to()));
        let request = format!(
            "{}:{}:{}:{from}:{to}",
            self.name(),
            self.amount(),
            from.len()
        );
        let mut print = [0; 16];
        print.copy_from_slice(format!("{:016x}", xxh3_64(request.as_bytes())).as_bytes());
        print
    }
}

impl Program for Apply {
    type Record = LedgerRecord;
    type Reply = Outcome;

    const SCRIPT: &'static Script = &Script::new(
        "ledger-apply",
        Effect::Once,
        concat!(int_lua!(), include_str!("apply.lua")),
    );

    fn args(&self, args: &mut Args) {
        let request = &self.request;
        (request.name(), (&self.id, request.fingerprint())).write(args);
        (
            request.from().map_or("", |it| it),
            request.to().map_or("", |it| it),
        )
            .write(args);
        (request.amount(), self.retention.as_micros()).write(args);
        (self.ttl, (self.max_requests, self.max_accounts)).write(args);
    }

    fn reply(&self, wire: Wire) -> Result<Outcome> {
        let (word, first): (Bytes, Bytes) = wire.read()?;
        Ok(match (&*word, &*first) {
            (b"done", _) => Outcome::Done,
            (b"insufficient", _) => Outcome::Insufficient,
            (b"duplicate", b"insufficient") => Outcome::DuplicateInsufficient,
            (b"duplicate", _) => Outcome::DuplicateDone,
            (b"contrary", _) => Outcome::Contrary,
            (b"unknown", _) => Outcome::Unknown,
            (b"conflict", _) => Outcome::Conflict,
            (b"past", _) => Outcome::Past,
            (b"full", _) => Outcome::Full,
            _ => return Err(Wire::unexpected("an outcome of a ledger")),
        })
    }

    fn step(&self, record: &mut Slot<'_, LedgerRecord>, now: Timestamp) -> Outcome {
        let now = now.as_micros();
        let (request, print) = (&self.request, self.request.fingerprint());
        let kept = record
            .get()
            .and_then(|held| held.kept(&self.id, now))
            .cloned();
        if let Some(outcome) = decided(request, print, kept.as_ref()) {
            return outcome;
        }

        let empty = LedgerRecord::default();
        let held = record.get().unwrap_or(&empty);
        if let Request::Credit { amount, .. } = request
            && *amount > MAX_INT - held.total
        {
            return Outcome::Past;
        }
        let is_short = |from: &Arc<str>| held.balance(from) < request.amount();
        let is_short = request.from().is_some_and(is_short);

        // The account and the amount of the hold, if there is an open one.
        let hold = match &kept {
            Some(Kept {
                state: State::Held { account, amount },
                ..
            }) => Some((account, *amount)),
            _ => None,
        };
        let to = match (request, hold) {
            (Request::Release, Some((account, _))) => Some(account),
            _ => request.to(),
        };
        let amount = hold.map_or(request.amount(), |(_, amount)| amount);

        if let Some(held) = record.get_mut() {
            held.forget(now);
            let is_new = |to: &Arc<str>| !held.accounts.contains_key(to);
            // The held units are given back even if others have used up the room of the account.
            let is_back = matches!(request, Request::Release);
            let has_account = is_short || is_back || !to.is_some_and(is_new);
            // The total is one more field of the balances.
            let fields = held.accounts.len() + usize::from(held.total != 0);
            let many = held.requests.len();
            if !request.closes() && many >= self.max_requests as usize {
                return Outcome::Full;
            }
            if !has_account && fields > self.max_accounts as usize {
                return Outcome::Full;
            }
        }

        let held = record.update_or(self.ttl, LedgerRecord::default);
        if !is_short {
            if let Some(from) = request.from() {
                held.add(from, -amount);
            }
            if let Some(to) = to {
                held.add(to, amount);
            }
            match request {
                Request::Credit { .. } => held.total += amount,
                Request::Settle { to: None } => held.total -= amount,
                _ => {}
            }
        }
        let state = match request {
            _ if is_short => State::Insufficient,
            Request::Hold { from, amount } => State::Held {
                account: from.clone(),
                amount: *amount,
            },
            Request::Settle { .. } => State::Settled(print),
            Request::Release => State::Released(print),
            _ => State::Done,
        };
        let is_open = matches!(state, State::Held { .. });
        let due = (!is_open).then_some(now + self.retention.as_micros());
        let print = kept.map_or(print, |kept| kept.print);
        held.keep(&self.id, Kept { print, state, due });
        match is_short {
            true => Outcome::Insufficient,
            false => Outcome::Done,
        }
    }
}

/// Returns the outcome of a request if the record of its id decides it.
fn decided(request: &Request, print: Fingerprint, kept: Option<&Kept>) -> Option<Outcome> {
    match (request.closes(), kept.map(|kept| &kept.state)) {
        (true, Some(State::Held { .. })) | (false, None) => None,
        (true, Some(State::Settled(closed) | State::Released(closed))) => {
            Some(match *closed == print {
                true => Outcome::DuplicateDone,
                false => Outcome::Contrary,
            })
        }
        (true, _) => Some(Outcome::Unknown),
        (false, Some(_)) if kept.is_some_and(|kept| kept.print != print) => Some(Outcome::Conflict),
        (false, Some(State::Insufficient)) => Some(Outcome::DuplicateInsufficient),
        (false, Some(_)) => Some(Outcome::DuplicateDone),
    }
}

/// Reads balances; the one without a name is the total.
#[derive(Clone, Debug)]
pub(crate) struct ReadBalances {
    pub(super) accounts: Vec<Arc<str>>,
}

impl Program for ReadBalances {
    type Record = LedgerRecord;
    type Reply = Vec<i64>;

    const SCRIPT: &'static Script = &Script::new(
        "ledger-balances",
        Effect::Read,
        concat!(
            int_lua!(),
            "local balances = {}
             for i, account in ipairs(ARGV) do
               balances[i] = num(int(redis.call('HGET', KEYS[1], account)) or 0)
             end
             return balances",
        ),
    );

    arguments!(accounts);

    fn step(&self, record: &mut Slot<'_, LedgerRecord>, _: Timestamp) -> Vec<i64> {
        let accounts = self.accounts.iter();
        accounts
            .map(|account| record.get().map_or(0, |held| held.balance(account)))
            .collect()
    }
}
