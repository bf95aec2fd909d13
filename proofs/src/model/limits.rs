//! Steps on rate limits, by their public calls.

use std::sync::Arc;
use std::time::Duration;

use larder_rate_limit::{
    Ban, Grant, Limits, Policy, Quota, QuotaChange, RateLimiter, Rule, Window,
};
use larder_store::{Result, Store, Ttl};
use proptest::prelude::*;

use super::arguments::Id;
use super::given::{Answer, kind};
use super::remembered::Remembered;

/// One operation on a limit, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum LimitOperation {
    /// Charges so many units, and perhaps gives them back.
    Check(Limited, u32, bool),
    /// Charges two limits together: all or nothing.
    Several(Limited, Limited),
    Acquire(u8, Then),
    /// Reserves so many units, and settles so many. None of a reservation that is lost.
    Reserve(u8, u32, Option<u32>),
    Inspect(Limited),
    Desk(Limited, Task),
}

/// A visitor of a policy. Under an odd edition the numbers of the policy are others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limited {
    policy: usize,
    edition: u8,
    visitor: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Release,
    Renew,
    /// The process dies.
    Lose,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    Set(u32),
    Reset,
    Ban(u64),
    Forgive,
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The times of all policies, at whose ends something comes back.
const TIMES: [u64; 4] = [4, 6, 8, 10];

/// Where the policy with permits is, and the one with reservations.
const PERMITS: usize = 6;
const RESERVATIONS: usize = 7;

const POLICIES: usize = 8;

/// Makes the policy with this number, with `limit` or a few more units.
fn policy(number: usize, limit: u32) -> Policy {
    let quota = Quota::new(limit, millis(8));
    match number {
        0 => quota.into(),
        1 => Rule::fixed_window(limit, Window::every(millis(10))).into(),
        2 => Policy::new(Rule::fixed_window(limit, Window::from_first(millis(6))))
            .with_quota_change(QuotaChange::Reset),
        3 => Policy::new(Rule::sliding_window(limit, millis(8)))
            .with_quota_change(QuotaChange::Proportional),
        4 => Rule::sliding_log(limit, millis(10)).into(),
        PERMITS => Policy::new(Rule::concurrency(limit, millis(6)))
            .and(Rule::fixed_window(limit + 2, Window::every(millis(4)))),
        RESERVATIONS => Policy::new(Rule::token_bucket(quota))
            .and(Rule::sliding_log(limit + 1, millis(10)))
            .with_reservations(millis(6)),
        _ => Policy::new(quota)
            .and(Rule::sliding_window(limit + 1, millis(10)))
            .and(Rule::sliding_log(limit + 2, millis(10)))
            .with_ban(Ban::after(2, millis(10), millis(6))),
    }
}

pub(super) fn operation() -> impl Strategy<Value = LimitOperation> {
    let task = prop_oneof![
        2 => (0..6_u32).prop_map(Task::Set),
        1 => Just(Task::Reset),
        2 => prop::sample::select(TIMES.to_vec()).prop_map(Task::Ban),
        1 => Just(Task::Forgive),
    ];
    let then = prop_oneof![Just(Then::Release), Just(Then::Renew), Just(Then::Lose)];
    prop_oneof![
        8 => (limited(), 1..4_u32, any::<bool>())
            .prop_map(|(of, cost, refunds)| LimitOperation::Check(of, cost, refunds)),
        2 => (limited(), limited()).prop_map(|(one, other)| LimitOperation::Several(one, other)),
        3 => (0..2_u8, then).prop_map(|(visitor, then)| LimitOperation::Acquire(visitor, then)),
        3 => (0..2_u8, 1..4_u32, proptest::option::of(0..9_u32)).prop_map(
            |(visitor, units, settled)| LimitOperation::Reserve(visitor, units, settled)
        ),
        2 => limited().prop_map(LimitOperation::Inspect),
        2 => (limited(), task).prop_map(|(of, task)| LimitOperation::Desk(of, task)),
    ]
}

fn limited() -> impl Strategy<Value = Limited> {
    let edition = prop_oneof![5 => Just(0), 1 => Just(1_u8)];
    (0..POLICIES, edition, 0..2_u8).prop_map(|(policy, edition, visitor)| Limited {
        policy,
        edition,
        visitor,
    })
}

impl Limited {
    const fn of(policy: usize, visitor: u8) -> Self {
        Self {
            policy,
            edition: 0,
            visitor,
        }
    }

    /// Several policies share a name, so a record also meets rules that are not those it was kept for.
    fn limiter(self, store: &Arc<dyn Store>) -> Result<RateLimiter> {
        let policy = policy(self.policy, 2 + u32::from(self.edition));
        RateLimiter::new(store.clone(), ["even", "odd"][self.policy % 2], policy)
    }
}

impl LimitOperation {
    /// Remembers what ends by this operation.
    pub(crate) fn remember(&self, remembered: &mut Remembered) {
        for millis in TIMES {
            remembered.ends_in(Id::Record(0), Ttl::from_millis(millis));
        }
    }

    /// Runs the operation, and returns what it shows.
    pub(crate) async fn run(&self, store: &Arc<dyn Store>) -> Answer<String> {
        kind(self.shown(store).await)
    }

    async fn shown(&self, store: &Arc<dyn Store>) -> Result<String> {
        match *self {
            Self::Check(of, cost, refunds) => Box::pin(check(of, cost, refunds, store)).await,
            Self::Several(one, other) => Box::pin(several(one, other, store)).await,
            Self::Acquire(visitor, then) => Box::pin(acquire(visitor, then, store)).await,
            Self::Reserve(visitor, units, settled) => {
                Box::pin(reserve(visitor, units, settled, store)).await
            }
            Self::Inspect(of) => {
                let report = of.limiter(store)?.inspect(of.visitor).await?;
                Ok(format!("{report:?}"))
            }
            Self::Desk(of, task) => Box::pin(desk(of, task, store)).await,
        }
    }
}

async fn check(of: Limited, cost: u32, refunds: bool, store: &Arc<dyn Store>) -> Result<String> {
    let limiter = of.limiter(store)?;
    let decision = limiter.check_cost(of.visitor, cost).await?;
    let after = match refunds {
        false => None,
        true => Some(limiter.refund(of.visitor, decision).await?),
    };
    Ok(format!("{decision:?} {after:?}"))
}

async fn several(one: Limited, other: Limited, store: &Arc<dyn Store>) -> Result<String> {
    let (first, second) = (one.limiter(store)?, other.limiter(store)?);
    let limits = Limits::new()
        .with(&first, one.visitor)
        .with(&second, other.visitor);
    Ok(format!("{:?}", limits.check().await?.is_allowed()))
}

async fn acquire(visitor: u8, then: Then, store: &Arc<dyn Store>) -> Result<String> {
    let limiter = Limited::of(PERMITS, visitor).limiter(store)?;
    let permit = match limiter.acquire(visitor).await? {
        Grant::Refused(decision) => return Ok(format!("{decision:?}")),
        Grant::Held(permit) => permit,
    };
    let decision = permit.decision();
    let was_held = match then {
        Then::Release => return Ok(format!("{decision:?} {:?}", permit.release().await?)),
        Then::Renew => Some(permit.renew().await?),
        Then::Lose => None,
    };
    std::mem::forget(permit);
    Ok(format!("{decision:?} {was_held:?}"))
}

async fn reserve(
    visitor: u8,
    units: u32,
    settled: Option<u32>,
    store: &Arc<dyn Store>,
) -> Result<String> {
    let limiter = Limited::of(RESERVATIONS, visitor).limiter(store)?;
    let reservation = match limiter.reserve(visitor, units).await? {
        Grant::Refused(decision) => return Ok(format!("{decision:?}")),
        Grant::Held(reservation) => reservation,
    };
    let decision = reservation.decision();
    let after = match settled {
        Some(actual) => Some(reservation.settle(actual).await?),
        None => None,
    };
    Ok(format!("{decision:?} {after:?}"))
}

async fn desk(of: Limited, task: Task, store: &Arc<dyn Store>) -> Result<String> {
    let limiter = of.limiter(store)?;
    let report = match task {
        Task::Set(units) => limiter.set(of.visitor, units).await?,
        Task::Reset => limiter.reset(of.visitor).await?,
        Task::Ban(lasts) => limiter.ban(of.visitor, millis(lasts)).await?,
        Task::Forgive => limiter.forgive(of.visitor).await?,
    };
    Ok(format!("{report:?}"))
}
