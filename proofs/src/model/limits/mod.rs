//! Steps on rate limits, by their public calls.

mod policies;
mod tenants;

use larder_rate_limit::{Grant, Limits, RateLimiter, Tat, Usage};
use larder_store::program::Record;
use larder_store::{Result, Ttl};
use proptest::prelude::*;

use super::arguments::Id;
use super::given::{Answer, kind};
use super::remembered::Remembered;
use super::side::Side;
pub(super) use policies::MIDNIGHT;
use policies::{CALENDARS, PERMITS, POLICIES, RESERVATIONS, TIMES, millis, policy};
use tenants::PLANS;
pub(super) use tenants::Tenants;

/// One operation on a limit, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) enum LimitOperation {
    /// Charges this many units, and perhaps gives them back.
    Check(Limited, u32, Refunds),
    /// Charges two limits together: all or nothing.
    Several(Limited, Limited),
    Acquire(Limited, Then),
    /// Reserves units, and settles with a number of them. None for a reservation that is lost.
    Reserve(Limited, u32, Option<u32>),
    Inspect(Limited),
    Desk(Limited, Task),
    /// Gives a tenant another plan, and perhaps tells its limiter.
    ChangePlan(u8, usize, bool),
}

/// A visitor of a policy, or the tenant of a plan. Under an odd edition the numbers of the policy are others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limited {
    policy: usize,
    edition: u8,
    visitor: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Refunds {
    Never,
    AtOnce,
    /// After a ban for this many milliseconds has begun.
    WhileBanned(u64),
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

pub(super) fn operation() -> impl Strategy<Value = LimitOperation> {
    let task = prop_oneof![
        2 => (0..6_u32).prop_map(Task::Set),
        1 => Just(Task::Reset),
        2 => prop::sample::select(TIMES.to_vec()).prop_map(Task::Ban),
        1 => Just(Task::Forgive),
    ];
    let refunds = prop_oneof![
        3 => Just(Refunds::Never),
        3 => Just(Refunds::AtOnce),
        1 => prop::sample::select(TIMES.to_vec()).prop_map(Refunds::WhileBanned),
    ];
    let then = prop_oneof![Just(Then::Release), Just(Then::Renew), Just(Then::Lose)];
    prop_oneof![
        8 => (limited(), 1..4_u32, refunds)
            .prop_map(|(of, cost, refunds)| LimitOperation::Check(of, cost, refunds)),
        2 => (limited(), limited()).prop_map(|(one, other)| {
            LimitOperation::Several(one, other.on_another_record_than(one))
        }),
        3 => (holding(PERMITS), then).prop_map(|(of, then)| LimitOperation::Acquire(of, then)),
        3 => (holding(RESERVATIONS), 1..4_u32, proptest::option::of(0..9_u32)).prop_map(
            |(of, units, settled)| LimitOperation::Reserve(of, units, settled)
        ),
        2 => limited().prop_map(LimitOperation::Inspect),
        2 => (limited(), task).prop_map(|(of, task)| LimitOperation::Desk(of, task)),
        2 => (0..2_u8, 0..=PLANS, any::<bool>())
            .prop_map(|(tenant, plan, is_told)| LimitOperation::ChangePlan(tenant, plan, is_told)),
    ]
}

/// The number of the policy in whose place each tenant has a plan.
const TENANTS: usize = POLICIES;

fn limited() -> impl Strategy<Value = Limited> {
    let policy = prop_oneof![9 => 0..CALENDARS, 3 => CALENDARS..POLICIES, 4 => Just(TENANTS)];
    let edition = prop_oneof![5 => Just(0), 1 => Just(1_u8)];
    (policy, edition, 0..2_u8).prop_map(|(policy, edition, visitor)| Limited {
        policy,
        edition,
        visitor,
    })
}

/// Draws a visitor of a policy by which something is held, or a tenant.
fn holding(policy: usize) -> impl Strategy<Value = Limited> {
    let policy = prop_oneof![3 => Just(policy), 1 => Just(TENANTS)];
    (policy, 0..2_u8).prop_map(|(policy, visitor)| Limited {
        policy,
        edition: 0,
        visitor,
    })
}

impl Limited {
    /// Several policies share a name, so a record also meets rules that are not those it was kept for.
    fn name(self) -> &'static str {
        match self.policy {
            TENANTS => "tenants",
            policy => ["even", "odd"][policy % 2],
        }
    }

    fn limiter(self, side: &Side) -> Result<RateLimiter> {
        if self.policy == TENANTS {
            return Ok(side.tenants.limiter.clone());
        }
        let policy = policy(self.policy, 2 + u32::from(self.edition));
        RateLimiter::new(side.store.clone(), self.name(), policy)
    }

    /// A request meets each record once: a store in process runs its steps one by one, and a server together.
    fn on_another_record_than(self, other: Self) -> Self {
        let is_same = (self.name(), self.visitor) == (other.name(), other.visitor);
        Self {
            visitor: if is_same {
                1 - self.visitor
            } else {
                self.visitor
            },
            ..self
        }
    }
}

impl LimitOperation {
    /// Remembers what ends by this operation.
    pub(crate) fn remember(&self, remembered: &mut Remembered) {
        for millis in TIMES {
            remembered.ends_in(Id::Record(0), Ttl::from_millis(millis));
        }
        if let Self::Check(Limited { policy, .. }, ..) = self
            && *policy >= CALENDARS
        {
            remembered.ends_at(Id::Record(0), MIDNIGHT);
        }
    }

    /// Runs the operation, and returns what it shows.
    pub(crate) async fn run(&self, side: &Side) -> Answer<String> {
        kind(self.shown(side).await)
    }

    async fn shown(&self, side: &Side) -> Result<String> {
        match *self {
            Self::Check(of, cost, refunds) => Box::pin(check(of, cost, refunds, side)).await,
            Self::Several(one, other) => Box::pin(several(one, other, side)).await,
            Self::Acquire(of, then) => Box::pin(acquire(of, then, side)).await,
            Self::Reserve(of, units, settled) => Box::pin(reserve(of, units, settled, side)).await,
            Self::Inspect(of) => Box::pin(inspect(of, side)).await,
            Self::Desk(of, task) => Box::pin(desk(of, task, side)).await,
            Self::ChangePlan(tenant, plan, is_told) => {
                side.tenants.change(tenant, plan, is_told);
                Ok(String::new())
            }
        }
    }
}

async fn check(of: Limited, cost: u32, refunds: Refunds, side: &Side) -> Result<String> {
    let limiter = of.limiter(side)?;
    let decision = limiter.check_cost(of.visitor, cost).await?;
    if let Refunds::WhileBanned(lasts) = refunds {
        limiter.ban(of.visitor, millis(lasts)).await?;
    }
    let after = match refunds {
        Refunds::Never => None,
        Refunds::AtOnce | Refunds::WhileBanned(_) => {
            Some(limiter.refund(of.visitor, decision).await?)
        }
    };
    Ok(format!("{decision:?} {after:?}"))
}

async fn several(one: Limited, other: Limited, side: &Side) -> Result<String> {
    let (first, second) = (one.limiter(side)?, other.limiter(side)?);
    let limits = Limits::new()
        .with(&first, one.visitor)
        .with(&second, other.visitor);
    Ok(format!("{:?}", limits.check().await?.refused()))
}

async fn acquire(of: Limited, then: Then, side: &Side) -> Result<String> {
    let permit = match of.limiter(side)?.acquire(of.visitor).await? {
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

async fn reserve(of: Limited, units: u32, settled: Option<u32>, side: &Side) -> Result<String> {
    let reservation = match of.limiter(side)?.reserve(of.visitor, units).await? {
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

/// Shows what a request would be told, and the record as people and tools see it.
async fn inspect(of: Limited, side: &Side) -> Result<String> {
    let limiter = of.limiter(side)?;
    let report = limiter.inspect(of.visitor).await?;
    let key = limiter.key(of.visitor);
    let programs = side.store.clone().programs().expect("programs");
    let record = match key.kind() == Tat::KIND {
        true => programs.inspect::<Tat>(&key).await?,
        false => programs.inspect::<Usage>(&key).await?,
    };
    Ok(format!("{report:?} {record:?}"))
}

async fn desk(of: Limited, task: Task, side: &Side) -> Result<String> {
    let limiter = of.limiter(side)?;
    let report = match task {
        Task::Set(units) => limiter.set(of.visitor, units).await?,
        Task::Reset => limiter.reset(of.visitor).await?,
        Task::Ban(lasts) => limiter.ban(of.visitor, millis(lasts)).await?,
        Task::Forgive => limiter.forgive(of.visitor).await?,
    };
    Ok(format!("{report:?}"))
}
