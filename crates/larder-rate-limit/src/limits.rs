//! Several limiters in one call: all of them are charged, or none.

use std::sync::Arc;
use std::task::Poll;

use larder_store::program::{Call, Calls, Programs, Run};
use larder_store::{Key, KeyId, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::decision::Account;
use crate::give_back::GiveBack;
use crate::limiter::Engine;
use crate::program::Peek;
use crate::usage::{self, Charge};
use crate::{Decision, Gcra, RateLimiter};

/// Several limiters that a request must pass, each with its visitor.
///
/// If one refuses, none is charged. Rules for one visitor belong into one [`Policy`](crate::Policy), which is one
/// step; this is for visitors that differ, such as an address and an account. Their records may be on different
/// nodes of a cluster, where no step spans both. So each limiter takes its own step, all of them in one round
/// trip, and if one refuses, what the others charged is given back, in one more.
///
/// Between the two, somebody else may be refused for a charge that is then given back. Nobody is ever let in
/// past a limit.
///
/// ```
/// # use std::net::IpAddr;
/// use larder_rate_limit::{Limits, RateLimiter};
///
/// # async fn sign_in(
/// #     by_address: &RateLimiter, by_account: &RateLimiter, address: &str, account: &str,
/// # ) -> larder_store::Result<bool> {
/// let decisions = Limits::new()
///     .with(by_address, address)
///     .with(by_account, account)
///     .check()
///     .await?;
/// if let Some((policy, decision)) = decisions.refused() {
///     println!("{policy}: again in {:?}", decision.retry_after());
/// }
/// # Ok(decisions.is_allowed())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Limits<'a> {
    asked: Vec<Asked<'a>>,
}

#[derive(Clone, Debug)]
struct Asked<'a> {
    limiter: &'a RateLimiter,
    key: Key,
    /// By what it counts the visitor. None if that is still to be found.
    engine: Option<Engine>,
    cost: u32,
}

impl<'a> Limits<'a> {
    /// Makes an empty list, which allows everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a limiter and whom it charges, at the limiter's own [cost](RateLimiter::with_cost).
    #[must_use]
    pub fn with(self, limiter: &'a RateLimiter, visitor: impl KeyId) -> Self {
        self.with_cost(limiter, visitor, limiter.cost())
    }

    /// Adds a limiter, whom it charges and how many units.
    #[must_use]
    pub fn with_cost(mut self, limiter: &'a RateLimiter, visitor: impl KeyId, cost: u32) -> Self {
        self.asked.push(Asked {
            limiter,
            key: limiter.key(visitor),
            engine: None,
            cost,
        });
        self
    }

    /// Adds a limiter and the key of whom it charges, whom `engine` counts.
    pub(crate) fn with_key(
        mut self,
        limiter: &'a RateLimiter,
        key: Key,
        engine: Engine,
        cost: u32,
    ) -> Self {
        self.asked.push(Asked {
            limiter,
            key,
            engine: Some(engine),
            cost,
        });
        self
    }

    /// Charges all of them, or none.
    ///
    /// It takes one round trip for the limiters that share a store, and one more if one of them refuses. In
    /// process it takes none, and charges no further limiter once one has refused.
    ///
    /// # Errors
    /// Those of the stores. What was charged is then given back, as far as the store answers. The others are
    /// those of [`RateLimiter::check`].
    ///
    /// # Cancellation
    /// What is known to be charged is given back in the background. A visitor whose store has not answered yet
    /// may or may not have been charged.
    pub async fn check(&self) -> Result<Decisions> {
        let mut steps = Vec::with_capacity(self.asked.len());
        for asked in &self.asked {
            steps.push(Step::new(asked).await?);
        }
        let mut steps = Undecided(steps);
        if !run_now(&mut steps.0) {
            run_together(&mut steps.0).await;
        }
        let mut steps = std::mem::take(&mut steps.0);
        // A limit that refuses needs no answer of the others.
        let is_refused = steps.iter().any(Step::is_refused);
        let error = steps.iter_mut().find_map(Step::error);
        if is_refused || error.is_some() {
            let left = give_back_now(&steps);
            match in_background(left) {
                Ok(task) => drop(task.await),
                Err(left) => give_back(left).await,
            }
        }
        match error {
            Some(error) if !is_refused => Err(error),
            _ => Ok(Decisions {
                each: steps.into_iter().map(Step::decided).collect(),
            }),
        }
    }
}

/// Steps whose outcome nobody has seen yet. What they have charged is given back when they are dropped.
struct Undecided<'a>(Vec<Step<'a>>);

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        // Without a runtime it comes back by itself.
        let _ = in_background(give_back_now(&self.0));
    }
}

/// What several limiters have decided together.
#[derive(Clone, Debug)]
pub struct Decisions {
    each: Vec<(Arc<str>, Option<Decision>)>,
}

impl Decisions {
    /// Returns whether the request may pass all of them.
    pub fn is_allowed(&self) -> bool {
        self.refused().is_none()
    }

    /// Returns the limiter that makes the request wait longest, by its policy's name. None if it may pass.
    pub fn refused(&self) -> Option<(&str, Decision)> {
        let refused = self.each().filter(|(_, decision)| !decision.is_allowed());
        refused.max_by_key(|(_, decision)| decision.retry_after())
    }

    /// Returns the decision of each limiter, in their order. None of one that was not asked.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Option<Decision>> {
        self.each.iter().map(|(_, decision)| *decision)
    }

    /// Returns the decision of each limiter that was asked, in their order, with its policy's name.
    ///
    /// After a refusal, those that had charged say what they had decided; it was given back. Those that were
    /// not to charge any more say what they would have decided.
    pub fn each(&self) -> impl Iterator<Item = (&str, Decision)> {
        let each = self.each.iter();
        each.filter_map(|(policy, decision)| Some((&**policy, (*decision)?)))
    }
}

/// The step of one limiter.
struct Step<'a> {
    asked: &'a Asked<'a>,
    engine: Engine,
    program: Program,
    outcome: Option<Result<Decision>>,
}

enum Program {
    Gcra(Gcra),
    Usage(Box<Charge>),
    /// It allows everything.
    None,
}

impl<'a> Step<'a> {
    async fn new(asked: &'a Asked<'a>) -> Result<Self> {
        let Asked {
            limiter, key, cost, ..
        } = asked;
        let engine = match &asked.engine {
            Some(engine) => engine.clone(),
            None => limiter.engine_of(key).await,
        };
        let program = match &engine {
            Engine::Gcra(gcra) => Program::Gcra(gcra.with_cost(*cost)?),
            Engine::Usage(plan) => Program::Usage(Box::new(limiter.charge(plan, *cost)?)),
            Engine::Unlimited(_) => Program::None,
        };
        let outcome = match program {
            Program::None => Some(Ok(Decision::unlimited(*cost))),
            _ => None,
        };
        Ok(Self {
            asked,
            engine,
            program,
            outcome,
        })
    }

    fn run_now(&mut self) {
        let Asked {
            limiter, key, cost, ..
        } = self.asked;
        let programs = &*limiter.programs;
        let answer = match &self.program {
            Program::None => return,
            Program::Gcra(gcra) => limiter.run_now(programs, key, gcra),
            Program::Usage(charge) => limiter
                .run_now(programs, key, &**charge)
                .map_ok(|(answer, account)| (answer.charged(&charge.rules.rules, *cost), account)),
        };
        self.answered(answer);
    }

    /// Looks what the limiter would decide, without a charge.
    fn peek_now(&mut self) {
        let Asked {
            limiter, key, cost, ..
        } = self.asked;
        let programs = &*limiter.programs;
        let answer = match &self.program {
            Program::None => return,
            Program::Gcra(gcra) => programs.run_now(key, &Peek(*gcra)),
            Program::Usage(charge) => {
                let peek = usage::Peek {
                    rules: charge.rules.clone(),
                    cost: charge.cost,
                    holds: false,
                };
                let answer = programs.run_now(key, &peek);
                answer.map_ok(|answer| answer.decision(&peek.rules.rules, *cost))
            }
        };
        self.answered(answer.map_ok(|decision| (decision, Account::Own)));
    }

    fn answered(&mut self, answer: Poll<Result<(Decision, Account)>>) {
        if let Poll::Ready(answer) = answer {
            let cost = self.asked.cost;
            self.outcome = Some(answer.map(|(decision, account)| Decision {
                account,
                cost,
                ..decision
            }));
        }
    }

    fn is_allowed(&self) -> bool {
        match &self.outcome {
            Some(Ok(decision)) => decision.is_allowed(),
            Some(Err(_)) => false,
            None => true,
        }
    }

    fn is_refused(&self) -> bool {
        matches!(&self.outcome, Some(Ok(decision)) if !decision.is_allowed())
    }

    fn error(&mut self) -> Option<larder_store::Error> {
        self.outcome.take_if(|outcome| outcome.is_err())?.err()
    }

    fn decided(self) -> (Arc<str>, Option<Decision>) {
        let policy = self.asked.limiter.policy().into();
        (policy, self.outcome.and_then(Result::ok))
    }
}

/// Runs the steps that need no waiting, up to the first refusal. Returns whether there was one.
///
/// The others then only look, so that a client is not told to come back before it can pass them too.
fn run_now(steps: &mut [Step<'_>]) -> bool {
    for i in 0..steps.len() {
        steps[i].run_now();
        if !steps[i].is_allowed() {
            steps[i + 1..].iter_mut().for_each(Step::peek_now);
            return true;
        }
    }
    false
}

/// A step that is sent, and its typed answer.
enum Sent<'a> {
    Gcra(Run<'a, Gcra>),
    Usage(Run<'a, Charge>, &'a Charge),
}

impl Sent<'_> {
    fn call(&mut self) -> &mut (dyn Call + '_) {
        match self {
            Self::Gcra(run) => run,
            Self::Usage(run, _) => run,
        }
    }

    fn answer(self, done: Result<()>, cost: u32) -> Result<Decision> {
        let decision = match self {
            Self::Gcra(run) => run.reply(done)?,
            Self::Usage(run, charge) => run.reply(done)?.charged(&charge.rules.rules, cost),
        };
        Ok(Decision {
            account: Account::Own,
            cost,
            ..decision
        })
    }
}

/// Runs the steps that have not run yet, those of one store in one round trip.
async fn run_together(steps: &mut [Step<'_>]) {
    while let Some(first) = steps.iter().find(|step| step.outcome.is_none()) {
        let programs = first.asked.limiter.programs.clone();
        let is_here = |step: &Step<'_>| {
            step.outcome.is_none() && is_same(&step.asked.limiter.programs, &programs)
        };
        let mut sent: Vec<(usize, &Key, Sent<'_>)> = Vec::new();
        for (i, step) in steps.iter().enumerate().filter(|(_, step)| is_here(step)) {
            let run = match &step.program {
                Program::Gcra(gcra) => Sent::Gcra(Run::new(gcra)),
                Program::Usage(charge) => Sent::Usage(Run::new(&**charge), charge),
                Program::None => continue,
            };
            sent.push((i, &step.asked.key, run));
        }
        let calls: Calls<'_> = sent
            .iter_mut()
            .map(|(_, key, run)| (*key, run.call()))
            .collect();
        let mut done = programs.call_many(calls).await.into_iter();
        let mut answers = Vec::with_capacity(sent.len());
        for (i, _, run) in sent {
            // A store that gave too few answers gave no reply either, and that is told there.
            let done = done.next().unwrap_or(Ok(()));
            answers.push((i, run.answer(done, steps[i].asked.cost)));
        }
        for (i, answer) in answers {
            steps[i].outcome = Some(answer);
        }
    }
}

/// A charge on the record with this key, and what gives it back.
type Charged = (Arc<dyn Programs>, Key, GiveBack);

/// Gives back what was charged, as far as that needs no waiting. Returns the rest.
fn give_back_now(steps: &[Step<'_>]) -> Vec<Charged> {
    let charged = steps.iter().filter_map(|step| {
        let decision = step.outcome.as_ref()?.as_ref().ok()?;
        let limiter = step.asked.limiter;
        let back = limiter.give_back(&step.asked.key, &step.engine, decision)?;
        let key = limiter.charged(step.asked.key.clone(), decision);
        Some((limiter.programs.clone(), key, back))
    });
    charged
        .filter(|(programs, key, back)| back.run_now(&**programs, key).is_pending())
        .collect()
}

/// Gives back in a task, which goes on if the caller leaves. Returns what was charged if there is no runtime.
fn in_background(left: Vec<Charged>) -> std::result::Result<JoinHandle<()>, Vec<Charged>> {
    match Handle::try_current() {
        Ok(runtime) if !left.is_empty() => Ok(runtime.spawn(give_back(left))),
        _ => Err(left),
    }
}

/// Gives back what was charged. What is lost comes back by itself.
async fn give_back(mut left: Vec<Charged>) {
    while let Some((programs, ..)) = left.first() {
        let programs = programs.clone();
        let (here, elsewhere) = left
            .into_iter()
            .partition(|(it, ..)| is_same(it, &programs));
        left = elsewhere;
        let here: Vec<Charged> = here;
        let mut runs: Vec<_> = here
            .iter()
            .map(|(_, key, back)| (key, back.sent()))
            .collect();
        let calls: Calls<'_> = runs
            .iter_mut()
            .map(|(key, run)| (*key, &mut **run as _))
            .collect();
        programs.call_many(calls).await;
    }
}

fn is_same(one: &Arc<dyn Programs>, other: &Arc<dyn Programs>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}
