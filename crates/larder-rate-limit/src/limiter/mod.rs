mod counted_by;
mod engine;

pub(crate) use counted_by::OwnPolicy;
pub(crate) use engine::Engine;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larder_store::program::{Program, Programs, Record};
use larder_store::{
    Error, ErrorKind, Key, KeyId, KeyPrefix, Kind, Refusal, Result, Store, StoreExt, Ttl,
    check_name,
};

use crate::decision::Account;
use crate::give_back::GiveBack;
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::plans::Plans;
use crate::program::Tat;
use crate::ready::Turns;
use crate::rule::MAX_PERIOD_US;
use crate::shared::SharedQuotas;
use crate::usage::{BanArgs, Charge, RuleArgs, Usage};
use crate::{Decision, Gcra, Network, Policy, Quota, Rule};

/// Limits visitors by a [`Policy`], with their state in a store. It needs no tower.
///
/// All processes that use one store and one policy name share the limit exactly. Policies are independent of each
/// other. Clones are cheap and share everything.
///
/// Its counters belong to the metrics recorder that is installed when the limiter is made. A layer has its own
/// counters.
///
/// A visitor occupies one record until its quota is whole again. An in-process store holds 100,000 of them for
/// each policy. `MokaStoreBuilder::with_max_keys_of(Tat::KIND, visitors)` sets another number for policies of a
/// single quota, and `Usage::KIND` for the others. While it is full, visitors with a record are limited as before,
/// and new visitors share [1,024 quotas](Self::SHARED_QUOTAS), so that nobody passes uncounted.
///
/// ```
/// use std::sync::Arc;
///
/// use larder_rate_limit::{Quota, RateLimiter};
/// use larder_store::{Result, Store};
///
/// async fn may_search(store: Arc<dyn Store>, account: &str) -> Result<bool> {
///     let searches = RateLimiter::new(store, "searches", Quota::per_minute(30))?;
///     Ok(searches.check(account).await?.is_allowed())
/// }
/// ```
#[derive(Clone)]
pub struct RateLimiter {
    pub(crate) programs: Arc<dyn Programs>,
    /// The store of the programs. A store that wraps another makes its programs anew for each limiter.
    store: Arc<dyn Store>,
    policy: Arc<str>,
    prefixes: Arc<Prefixes>,
    quota: Quota,
    pub(crate) engine: Engine,
    cost: u32,
    shared: SharedQuotas,
    pub(crate) plans: Option<Arc<Plans>>,
    /// The number of processes, of whose quotas this limiter has one share.
    share: NonZeroU32,
    /// Whether a refusal counts towards a ban.
    counts_refusals: bool,
    pub(crate) turns: Arc<Turns>,
    /// The counters of calls without a layer.
    pub(crate) metrics: Arc<Metrics>,
}

/// The beginnings of keys, written once.
struct Prefixes {
    all: KeyPrefix,
    /// For visitors who are identified by their address.
    networks: KeyPrefix,
}

/// The default time that a layer waits for the store.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

impl RateLimiter {
    /// The number of quotas that visitors share when an in-process store has no room: 1,024. In a store that has
    /// no room even for these, the remaining visitors share one more. Visitors whose [plans](Plans) have other rules
    /// share other quotas, as many again. If there are more sets of rules than the store has room for, the visitors
    /// of the remaining sets share a single quota, whose counts may be lost when the rules of another set apply.
    ///
    /// `MokaStore` keeps 64 partitions of a kind apart. If they are in use before a policy needs shared quotas, those
    /// are in the one partition that all others share. If that is full too, the store counts as failing.
    pub const SHARED_QUOTAS: u16 = SharedQuotas::NUMBER;

    /// Limits each visitor by `policy`, under the name `name`.
    ///
    /// A [`Quota`] is a policy, and the cheapest. The name appears in keys, headers and metrics. It is 1 to 32 of
    /// `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid, a number of the policy is out of its
    /// [bounds](Quota), or the store runs no programs.
    pub fn new(store: Arc<dyn Store>, name: &str, policy: impl Into<Policy>) -> Result<Self> {
        check_name("the name of a policy", name)?;
        let policy = policy.into();
        let quota = policy.rules().first().map_or(UNLIMITED, Rule::quota);
        let engine = match policy.as_quota() {
            Some(quota) => Engine::Gcra(Gcra::new(quota, 1)?),
            None => Engine::of(Arc::new(Plan::new(policy)?)),
        };
        Ok(Self {
            programs: store.clone().require_programs("a rate limit")?,
            store,
            prefixes: Prefixes::of(&engine, name),
            policy: name.into(),
            engine,
            quota,
            cost: 1,
            shared: SharedQuotas::default(),
            plans: None,
            share: NonZeroU32::MIN,
            counts_refusals: true,
            turns: Arc::default(),
            metrics: Arc::new(Metrics::new(name)),
        })
    }

    /// Charges `cost` units for each request. The default is 1.
    ///
    /// Clones with different costs charge the same visitors: for example, a search may cost ten units and a page
    /// one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the cost is 0 or more than the burst: such a request would never pass.
    pub fn with_cost(mut self, cost: u32) -> Result<Self> {
        match &mut self.engine {
            Engine::Gcra(gcra) => *gcra = gcra.with_cost(cost)?,
            Engine::Usage(plan) | Engine::Unlimited(plan) => plan.check_cost(cost)?,
        }
        self.cost = cost;
        Ok(self)
    }

    /// Gives each visitor the policy that `plans` finds for it.
    ///
    /// A visitor whose plan is not found is counted by the limiter's own policy. [`Plans`] says how plans are
    /// found and kept.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the limiter's own policy is out of its bounds.
    pub fn with_plans(mut self, plans: Plans) -> Result<Self> {
        if let Engine::Gcra(_) = self.engine {
            // A plan may have any rules, so every visitor has the kind of record that can hold them.
            self.engine = Engine::of(Arc::new(Plan::new(self.quota.into())?));
            self.prefixes = Prefixes::of(&self.engine, &self.policy);
        }
        self.plans = Some(Arc::new(plans.of_limiter(&self.policy)));
        Ok(self)
    }

    /// Returns the key of the record of `visitor`.
    pub fn key(&self, visitor: impl KeyId) -> Key {
        self.prefixes.all.key(visitor)
    }

    /// Returns the key of the record of a visitor who is identified by its address.
    #[inline]
    pub(crate) fn key_of(&self, network: Network) -> Key {
        self.prefixes.networks.key(network)
    }

    /// Returns the beginning of the keys of the visitors whose ids begin with `id`.
    pub(crate) fn prefix(&self, id: impl KeyId) -> KeyPrefix {
        KeyPrefix::new(kind(&self.engine), (&*self.policy, id))
    }

    /// Returns the name of the policy.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Returns the quota of each visitor, which is that of the first rule.
    ///
    /// For a policy without rules it is `u32::MAX` units a second.
    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Returns the rules of the limiter's own policy.
    pub fn rules(&self) -> Vec<Rule> {
        match &self.engine {
            Engine::Gcra(_) => vec![Rule::gcra(self.quota)],
            Engine::Usage(plan) | Engine::Unlimited(plan) => plan.policy.rules().to_vec(),
        }
    }

    /// Returns whether a request needs a [permit](Self::acquire), by the limiter's own policy.
    pub fn has_concurrency(&self) -> bool {
        self.engine.has_concurrency()
    }

    /// Returns whether visitors have policies of their own.
    pub(crate) fn has_plans(&self) -> bool {
        self.plans.is_some()
    }

    /// Returns whether the limiter limits nothing.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.plans.is_none() && matches!(self.engine, Engine::Unlimited(_))
    }

    /// Returns a limiter of the same visitors with the quotas of one of several `processes`.
    pub(crate) fn with_share_of(&self, processes: NonZeroU32) -> Self {
        let mut share = self.clone();
        share.share = processes;
        let most = match &self.engine {
            Engine::Gcra(_) => Ttl::MAX.as_micros(),
            Engine::Usage(_) | Engine::Unlimited(_) => MAX_PERIOD_US,
        };
        share.quota = self.quota.share_of(processes, most);
        // The parts of what is valid are valid too, so the fallbacks are never taken.
        share.engine = match &self.engine {
            Engine::Gcra(gcra) => Engine::Gcra(Gcra::new(share.quota, 1).unwrap_or(*gcra)),
            Engine::Usage(plan) | Engine::Unlimited(plan) => share.engine_by(plan),
        };
        share.cost = 1;
        share
    }

    /// Returns whether the steps of both limiters can be sent together.
    pub(crate) fn shares_store_with(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.store), Arc::as_ptr(&other.store))
    }

    /// Returns the same limiter, with the state of visitors where these programs keep it.
    pub(crate) fn with_programs(&self, programs: Arc<dyn Programs>) -> Self {
        Self {
            programs,
            ..self.clone()
        }
    }

    /// Returns the same limiter, whose refusals do not count towards a ban.
    ///
    /// It is for a caller that waits and tries again: one request is one refusal.
    pub(crate) fn looking_again(&self) -> Self {
        Self {
            counts_refusals: false,
            ..self.clone()
        }
    }

    /// Returns how long after `decision` one more unit becomes available. Zero if no unit is used.
    #[inline]
    pub fn until_more(&self, decision: &Decision) -> Duration {
        match &self.engine {
            Engine::Gcra(gcra) if decision.more_us == Decision::BY_GCRA => {
                gcra.until_more(decision)
            }
            _ => Duration::from_micros(u64::try_from(decision.more_us).unwrap_or(0)),
        }
    }

    /// Returns whether a rule has a fifth of its burst or less left after `decision`.
    #[inline]
    pub(crate) fn is_near_limit(&self, decision: &Decision) -> bool {
        match &self.engine {
            Engine::Gcra(_) => decision.remaining() <= self.quota.burst() / 5,
            Engine::Usage(_) | Engine::Unlimited(_) => decision.is_near_limit,
        }
    }

    /// Returns the deadline that the store enforces itself, if it has one.
    pub(crate) fn store_deadline(&self) -> Option<Duration> {
        self.programs.timeout()
    }

    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// Returns the key of the record that `decision` charged for the visitor with this key.
    pub(crate) fn charged(&self, key: Key, decision: &Decision) -> Key {
        self.shared.key(decision.account, &self.policy, key)
    }

    /// Returns whether `decision` charged a shared record by other rules than those of `engine`.
    pub(crate) fn charged_by_other_rules(&self, decision: &Decision, engine: &Engine) -> bool {
        self.shared
            .is_of_other_rules(decision.account, engine.rules())
    }

    pub(crate) async fn refund_key(&self, key: &Key, back: &GiveBack) -> Result<Decision> {
        back.run(&*self.programs, key).await
    }

    /// Runs a program that may make a record, on the visitor's own or on a shared one.
    pub(crate) async fn run<P>(&self, key: &Key, program: &P) -> Result<(P::Reply, Account)>
    where
        P: ChargeProgram,
    {
        match self.run_now(&*self.programs, key, program) {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                let answer = self.programs.run(key, program).await?;
                Ok((answer, Account::Own))
            }
        }
    }

    /// Does the same in a store that answers at once. Pending means that nothing was done.
    #[inline]
    pub(crate) fn run_now<P: ChargeProgram>(
        &self,
        programs: &dyn Programs,
        key: &Key,
        program: &P,
    ) -> Poll<Result<(P::Reply, Account)>> {
        match programs.run_now(key, program) {
            Poll::Ready(Ok(answer)) => Poll::Ready(Ok((answer, Account::Own))),
            Poll::Ready(Err(error)) => {
                Poll::Ready(self.run_as_stranger(programs, key, program, error))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Runs a program on a shared record, if the store has no room for the visitor's own.
    #[cold]
    fn run_as_stranger<P: ChargeProgram>(
        &self,
        programs: &dyn Programs,
        key: &Key,
        program: &P,
        error: Error,
    ) -> Result<(P::Reply, Account)> {
        if error.kind() != ErrorKind::Refused(Refusal::Full) {
            return Err(error);
        }
        let for_strangers = program.for_strangers();
        let program = for_strangers.as_ref().unwrap_or(program);
        for account in self.shared.accounts(program.rules()) {
            let shared = self.shared.key(account, &self.policy, key.clone());
            if let Poll::Ready(Ok(answer)) = programs.run_now(&shared, program) {
                return Ok((answer, account));
            }
        }
        Err(error)
    }
}

/// A program that charges, on the record of a visitor or on one that strangers share.
pub(crate) trait ChargeProgram: Program {
    /// Returns the rules by which it charges. None of a single quota.
    fn rules(&self) -> &[RuleArgs];

    /// Returns the program to run on a shared record instead. None if it is the same.
    fn for_strangers(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

impl ChargeProgram for Gcra {
    fn rules(&self) -> &[RuleArgs] {
        &[]
    }
}

impl ChargeProgram for Charge {
    fn rules(&self) -> &[RuleArgs] {
        &self.rules.rules
    }

    /// Strangers share a quota, but not a ban: nobody is banned for what others did.
    fn for_strangers(&self) -> Option<Self> {
        let is_banning = self.ban.refusals > 0;
        is_banning.then(|| Self {
            ban: BanArgs::default(),
            ..self.clone()
        })
    }
}

impl Prefixes {
    /// Writes the beginnings of the keys of the visitors of `policy`.
    fn of(engine: &Engine, policy: &str) -> Arc<Self> {
        let kind = kind(engine);
        Arc::new(Self {
            all: KeyPrefix::new(kind, policy),
            networks: KeyPrefix::new(kind, (policy, "ip")),
        })
    }
}

/// Returns the kind of the records of visitors whom `engine` counts.
fn kind(engine: &Engine) -> Kind {
    match engine {
        Engine::Gcra(_) => Tat::KIND,
        Engine::Usage(_) | Engine::Unlimited(_) => Usage::KIND,
    }
}

/// The quota that a policy without rules names.
const UNLIMITED: Quota = Quota::per_second(u32::MAX);

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("policy", &self.policy)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}
