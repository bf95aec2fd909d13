//! The step of each limiter: run at once, or sent together with others.

use std::sync::Arc;
use std::task::Poll;

use larder_store::Result;
use larder_store::program::{Call, Calls, Run};

use super::Asked;
use crate::decision::Account;
use crate::give_back::GiveBack;
use crate::hold::{Asking, Hold, Taking};
use crate::limiter::Engine;
use crate::usage::Charge;
use crate::{Decision, Gcra};

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
                    cost,
                    ..decision
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

    pub(super) fn error(&mut self) -> Option<larder_store::Error> {
        self.outcome.take_if(|outcome| outcome.is_err())?.err()
    }

    /// Returns the name of the policy, its decision, and what the request has taken.
    pub(super) fn decided(self) -> (Arc<str>, Option<Decision>, Option<Hold>) {
        let policy = self.asked.limiter.policy().into();
        let hold = match self.program {
            Program::Usage(taking) => taking.taken(),
            Program::Gcra(_) | Program::None => None,
        };
        (policy, self.outcome.and_then(Result::ok), hold)
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
            Self::Gcra(run) => Ok(Decision {
                cost,
                ..run.reply(done)?
            }),
            Self::Usage(run, asking) => {
                let answer = run.reply(done);
                asking.decide(answer.map(|answer| (answer, Account::Own)))
            }
        }
    }
}

/// Runs the steps that have not run yet, those of one store in one round trip.
pub(super) async fn run_together(steps: &mut [Step<'_>]) {
    while let Some(first) = steps.iter().find(|step| step.outcome.is_none()) {
        let limiter = first.asked.limiter;
        let is_here = |step: &Step<'_>| {
            step.outcome.is_none() && step.asked.limiter.shares_store_with(limiter)
        };
        let here = steps.iter_mut().enumerate();
        let mut sent: Vec<(usize, &Asked<'_>, Sent<'_>)> = here
            .filter(|(_, step)| is_here(step))
            .filter_map(|(i, step)| Some((i, step.asked, step.sent()?)))
            .collect();
        let calls: Calls<'_> = sent
            .iter_mut()
            .map(|(_, asked, run)| (&asked.key, run.call()))
            .collect();
        let mut done = limiter.programs.call_many(calls).await.into_iter();
        let mut answers = Vec::with_capacity(sent.len());
        for (i, asked, run) in sent {
            // If a store returned too few answers, the reply is missing too, which is reported there.
            let done = done.next().unwrap_or(Ok(()));
            answers.push((i, run.answer(done, asked.cost)));
        }
        for (i, answer) in answers {
            steps[i].outcome = Some(answer);
        }
    }
}
