use std::task::Poll;

use async_trait::async_trait;
use larder_store::program::{Call, Calls, Effect, Programs, Wire};
use larder_store::{ErrorKind, Key, Refusal, Result, Timestamp, Ttl};
use tokio::task::yield_now;

use super::batches::fail_whole;
use super::program_calls::{AgainOnDrop, check_narrow, check_text, is_wide};
use super::waits::Waking;
use super::{BrokenStore, Fault};
use crate::contract::model::deadline;

const MINUTE: Ttl = Ttl::from_secs(60);
const HOUR: Ttl = Ttl::from_secs(3600);
const SECOND: i64 = 1_000_000;

impl BrokenStore {
    async fn step(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        if let Some(wire) = self.wrong_reply(key, call) {
            return call.reply(wire);
        }
        self.race_for_record(key, call.parts().len()).await;
        let before = self.record_end(key);
        let done = match self.fault {
            Some(Fault::StepsStartOver) => self.start_over(key, call).await,
            Some(Fault::NarrowIntegers) => match check_narrow(call) {
                Ok(()) => self.model.call(key, call).await,
                refused => refused,
            },
            Some(Fault::TextArguments) => match check_text(call) {
                Ok(()) => self.model.call(key, call).await,
                refused => refused,
            },
            Some(Fault::CancelledStepRunsTwice) => {
                self.model.call(key, call).await?;
                let again = AgainOnDrop::new(&self.model, key, call);
                yield_now().await;
                again.disarm();
                Ok(())
            }
            _ => self.model.call(key, call).await,
        };
        let done = match (self.fault, done) {
            (Some(Fault::OtherTypeIsReplaced), Err(error)) if is_wrong_type(error.kind()) => {
                self.start_over(key, call).await
            }
            (Some(Fault::OtherTypeIsRemoved), Err(error)) if is_wrong_type(error.kind()) => {
                self.model.with_slot(key, |slot, _| *slot = None);
                Err(error)
            }
            (_, done) => done,
        };
        self.leave_record(key, call, before);
        done
    }

    pub(super) async fn call_once(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        match self.fault {
            Some(Fault::CallStartsOver) => self.start_over(key, call).await,
            _ => self.step(key, call).await,
        }
    }

    async fn start_over(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        self.model.with_slot(key, |slot, _| *slot = None);
        self.model.call(key, call).await
    }

    /// Returns the wrong answer of a fault that does not run the step.
    fn wrong_reply(&self, key: &Key, call: &dyn Call) -> Option<Wire> {
        let name = call.script().name();
        let (is_removal, is_time) = (call.script().is_run_when_full(), name == "law-tell-time");
        let (absent, now) = self.model.with_slot(key, |slot, now| (slot.is_none(), now));
        match self.fault? {
            Fault::RemovalIsForgotten if is_removal && call.script().effect() == Effect::Once => {
                Some(Wire::Int(1))
            }
            Fault::ReadingMakesRecords if name == "law-clear-tally" => self
                .memory
                .lock()
                .read
                .contains(key.as_str())
                .then_some(Wire::Int(1)),
            Fault::ReadingMakesRecords if absent => {
                self.memory.lock().read.insert(key.as_str().to_owned());
                None
            }
            Fault::InspectionIsEmpty if name.starts_with("law-inspect") => {
                Some(Wire::List(Vec::new()))
            }
            Fault::RefusesEveryTwentiethStep if name == "law-add" => {
                (self.count().is_multiple_of(20)).then_some(Wire::Nil)
            }
            Fault::WideIntegers if is_wide(call) => Some(Wire::Nil),
            Fault::TimeGoesBack if is_time => {
                Some(Wire::Int(now.as_micros() - self.count() as i64 * SECOND))
            }
            Fault::TimeStandsStill if is_time => {
                let started = *self.memory.lock().started.get_or_insert(now);
                Some(Wire::Int(started.as_micros()))
            }
            _ => None,
        }
    }

    async fn race_for_record(&self, key: &Key, parts: usize) {
        let races = match parts {
            1 => self.has(Fault::StepsRace),
            _ => self.has(Fault::PartsRace),
        };
        if races {
            let taken = self.model.with_slot(key, |slot, _| slot.take());
            yield_now().await;
            self.model.with_slot(key, |slot, _| *slot = taken);
        }
    }

    fn record_end(&self, key: &Key) -> Option<Timestamp> {
        self.model
            .with_slot(key, |slot, _| slot.as_ref().map(|held| held.deadline))
    }

    /// Applies the faults that change the record after a step.
    fn leave_record(&self, key: &Key, call: &dyn Call, before: Option<Timestamp>) {
        let is_read = call.script().effect() == Effect::Read;
        if self.has(Fault::ReadingRemovesRecords) && is_read {
            self.model.with_slot(key, |slot, _| *slot = None);
        }
        let has_parts = call.parts().len() > 1;
        self.edit(key, |held, now| {
            let (old, new) = (before.unwrap_or(held.deadline), held.deadline);
            held.deadline = match self.fault {
                Some(Fault::RecordsNeverEnd) => deadline(now, HOUR),
                Some(Fault::StepOnlyShortens) if !has_parts => old.min(new),
                Some(Fault::StepOnlyLengthens) if !has_parts => old.max(new),
                Some(Fault::PartsOnlyShorten) if has_parts => old.min(new),
                Some(Fault::PartsOnlyLengthen) if has_parts => old.max(new),
                Some(Fault::ReadingExtendsRecords) if is_read => deadline(now, MINUTE),
                Some(Fault::RefusedStepExtends) if !is_read && before == Some(new) => {
                    deadline(now, MINUTE)
                }
                _ => new,
            };
        });
    }
}

fn is_wrong_type(kind: ErrorKind) -> bool {
    kind == ErrorKind::Refused(Refusal::WrongType)
}

#[async_trait]
impl Programs for BrokenStore {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        match self.fault {
            Some(Fault::CallStartsOver) => self.model.call_now(key, call),
            _ => Poll::Pending,
        }
    }

    fn now(&self) -> Option<Timestamp> {
        let now = self.model.now()?;
        Some(match self.fault {
            Some(Fault::NowIsAhead) => now.plus_micros(3600 * SECOND),
            Some(Fault::NowIsBehind) => now.plus_micros(-7 * 24 * 3600 * SECOND),
            Some(Fault::NowStandsStill) => *self.memory.lock().started.get_or_insert(now),
            _ => now,
        })
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        self.call_and_wake(key, call).await
    }

    async fn call_many<'a>(&self, mut calls: Calls<'a>) -> Vec<Result<()>> {
        match self.fault {
            Some(Fault::RunManyShifts) => {
                let mut keys: Vec<&Key> = calls.iter().map(|(key, _)| *key).collect();
                keys.rotate_left(1);
                calls
                    .iter_mut()
                    .zip(keys)
                    .for_each(|(call, key)| call.0 = key);
            }
            Some(Fault::RunManyReverses) => calls.reverse(),
            Some(Fault::RunManyEndsAt100) => calls.truncate(100),
            Some(Fault::RunManyKnowsOneProgram) => {
                let first = calls.first().map(|(_, call)| call.script().name());
                calls.retain(|(_, call)| Some(call.script().name()) == first);
            }
            _ => {}
        }
        let mut answers = match self.fault {
            Some(Fault::RunManyWakesNobody) => {
                let mut answers = Vec::with_capacity(calls.len());
                for (key, call) in calls {
                    let wakes = false;
                    answers.push(self.model.call(key, &mut Waking { call, wakes }).await);
                }
                answers
            }
            _ => self.model.call_many(calls).await,
        };
        match self.fault {
            Some(Fault::RunManyReverses) => answers.reverse(),
            Some(Fault::RunManyFailsWhole) => fail_whole(&mut answers),
            _ => {}
        }
        answers
    }
}
