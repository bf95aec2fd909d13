//! The step of each limiter: run at once, or sent together with others.

use std::sync::Arc;
use std::task::Poll;

use futures_util::future::join_all;
use larder_layer::StoreTimeout;
use larder_store::program::{Call, Calls, Run};
use larder_store::{Error, ErrorKind, Result};

use super::{Asked, Taken};
use crate::decision::Account;
use crate::give_back::GiveBack;
use crate::hold::{Asking, Taking};
use crate::limiter::Engine;
use crate::usage::Charge;
use crate::{Decision, Gcra, RateLimiter};

/// The step of one limiter.
pub(super) struct Step<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) engine: Engine,
    program: Program,
    pub(super) outcome: Option<Result<Decision>>,
}

/// The program that charges a visitor.
enum Program {
    Gcra(Gcra),
    Usage(Box<Taking>),
    /// It allows everything.
    None,
}

impl<'a> Step<'a> {
    pub(super) async fn new(asked: &'a Asked<'a>) -> Result<Self> {
        let Asked {
            limiter, key, cost, ..
        } = asked;
        let engine = match &asked.engine {
            Some(engine) => engine.clone(),
            None => limiter.engine_of(key).await,
        };
        let program = match &engine {
            Engine::Gcra(gcra) => Program::Gcra(gcra.with_cost(*cost)?),
            Engine::Usage(plan) => {
                let taking = Taking::new(limiter, plan, key, *cost, asked.takes)?;
                Program::Usage(Box::new(taking))
            }
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
        let outcome = match &mut self.program {
            Program::None => return,
            Program::Gcra(gcra) => {
                let answer = limiter.run_now(programs, key, gcra);
                let cost = *cost;
                answer.map_ok(|(decision, account)| Decision {
                    account,
                    ..decision.costing(cost)
                })
            }
            Program::Usage(taking) => {
                let answer = limiter.run_now(programs, key, &taking.charge);
                answer.map(|answer| taking.decide(answer))
            }
        };
        if let Poll::Ready(outcome) = outcome {
            self.outcome = Some(outcome);
        }
    }

    /// Returns whether the step has not run yet.
    pub(super) fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    fn may_pass(&self) -> bool {
        match &self.outcome {
            Some(Ok(decision)) => decision.is_allowed(),
            Some(Err(_)) => false,
            None => true,
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(&self.outcome, Some(Ok(decision)) if !decision.is_allowed())
    }

    pub(super) fn error(&mut self) -> Option<Error> {
        self.outcome.take_if(|outcome| outcome.is_err())?.err()
    }

    /// Returns the name of the policy and its decision, and what the request has taken.
    pub(super) fn decided(self) -> ((Arc<str>, Option<Decision>), Taken) {
        let policy = self.asked.limiter.policy().into();
        let hold = match self.program {
            Program::Usage(taking) => taking.taken(),
            Program::Gcra(_) | Program::None => None,
        };
        match self.outcome.transpose() {
            Ok(decision) => ((policy, decision), Ok(hold)),
            Err(error) => ((policy, None), Err(error)),
        }
    }

    /// Returns how to give back what was charged and taken. None if that is nothing.
    pub(super) fn give_back(&mut self) -> Option<GiveBack> {
        let decision = self.outcome.as_ref()?.as_ref().ok()?;
        let Asked { limiter, key, .. } = self.asked;
        let back = limiter.give_back(key, &self.engine, decision)?;
        Some(match &mut self.program {
            Program::Usage(taking) => {
                taking.leave();
                back.with_all_of(&taking.charge)
            }
            Program::Gcra(_) | Program::None => back,
        })
    }

    /// Returns the step to be sent. None if it allows everything.
    fn sent(&mut self) -> Option<Sent<'_>> {
        match &mut self.program {
            Program::Gcra(gcra) => Some(Sent::Gcra(Run::new(gcra))),
            Program::Usage(taking) => {
                let (charge, asking) = taking.send();
                Some(Sent::Usage(Run::new(charge), asking))
            }
            Program::None => None,
        }
    }
}

/// Runs the steps that need no waiting. Returns whether none of them refuses the request.
///
/// All of them run, as they do over a network: each refusal may count towards a ban, and the longest wait is
/// reported.
pub(super) fn run_now(steps: &mut [Step<'_>]) -> bool {
    steps.iter_mut().for_each(Step::run_now);
    steps.iter().all(Step::may_pass)
}

/// A step that is sent, and its typed answer.
enum Sent<'a> {
    Gcra(Run<'a, Gcra>),
    Usage(Run<'a, Charge>, Asking<'a>),
}

impl Sent<'_> {
    fn call(&mut self) -> &mut (dyn Call + '_) {
        match self {
            Self::Gcra(run) => run,
            Self::Usage(run, _) => run,
        }
    }

    fn answer(self, done: Result<()>, cost: u32) -> Result<Decision> {
        match self {
            Self::Gcra(run) => Ok(run.reply(done)?.costing(cost)),
            Self::Usage(run, asking) => {
                let answer = run.reply(done);
                asking.decide(answer.map(|answer| (answer, Account::Own)))
            }
        }
    }
}

/// Runs the steps that have not run yet, those of one store in one round trip, and all stores at once.
pub(super) async fn run_together(steps: &mut [Step<'_>], within: Option<StoreTimeout>) {
    let open = steps.iter_mut().filter(|step| step.is_open());
    let stores = by_store(open, |step| step.asked.limiter);
    join_all(
        stores
            .into_iter()
            .map(|here| run_in_one_store(here, within)),
    )
    .await;
}

/// Groups what belongs to limiters on one store.
pub(super) fn by_store<T>(
    each: impl IntoIterator<Item = T>,
    limiter: impl Fn(&T) -> &RateLimiter,
) -> Vec<Vec<T>> {
    let mut stores: Vec<Vec<T>> = Vec::new();
    for one in each {
        let is_here = |here: &&mut Vec<T>| {
            let mut here = here.iter();
            here.any(|other| limiter(other).shares_store_with(limiter(&one)))
        };
        match stores.iter_mut().find(is_here) {
            Some(here) => here.push(one),
            None => stores.push(vec![one]),
        }
    }
    stores
}

/// Runs steps on one store, and keeps their outcomes at once: a caller that is dropped gives them back.
async fn run_in_one_store(mut steps: Vec<&mut Step<'_>>, within: Option<StoreTimeout>) {
    let Some(programs) = steps.first().map(|step| &step.asked.limiter.programs) else {
        return;
    };
    let each = steps.iter_mut().enumerate();
    let mut sent: Vec<(usize, &Asked<'_>, Sent<'_>)> = each
        .filter_map(|(i, step)| Some((i, step.asked, step.sent()?)))
        .collect();
    let calls: Calls<'_> = sent
        .iter_mut()
        .map(|(_, asked, run)| (&asked.key, run.call()))
        .collect();
    let answered = async { Ok(programs.call_many(calls).await) };
    let answered = match within {
        Some(within) => within.run(OPERATION, answered).await,
        None => answered.await,
    };
    // The steps themselves have their own results, so only the timeout is an error here.
    let late_by = within.filter(|_| answered.is_err());
    let mut done = answered.unwrap_or_default().into_iter();
    let mut answers = Vec::with_capacity(sent.len());
    for (i, asked, run) in sent {
        let done = match late_by {
            Some(timeout) => Err(late(timeout)),
            // If a store returned too few answers, the reply is missing too, which is reported there.
            None => done.next().unwrap_or(Ok(())),
        };
        answers.push((i, run.answer(done, asked.cost)));
    }
    for (i, answer) in answers {
        steps[i].outcome = Some(answer);
    }
}

const OPERATION: &str = "check rate limits";

/// Returns the error of one step for an answer that did not come within the timeout.
fn late(timeout: StoreTimeout) -> Error {
    let text = format!("the store did not answer within {:?}", timeout.limit());
    Error::new(OPERATION, ErrorKind::MayHaveRun, text)
}
