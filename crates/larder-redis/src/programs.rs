use std::collections::HashMap;

use ::redis::{Pipeline, Value};
use async_trait::async_trait;
use larder_store::{Call, Calls, Clock, Key, Programs, Result, Timestamp};

use crate::connection::{Operation, Repeat, Request};
use crate::many::spread;
use crate::script::{Named, is_forgotten};
use crate::step::Step;
use crate::store::RedisStore;

/// Programs run as scripts by their hash; a script that the server does not know is sent whole,
/// inside the same deadline.
#[async_trait]
impl Programs for RedisStore {
    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        let step = self.step(key, call)?;
        let operation = self.node.begin("run")?;
        if let Some(expiry) = step.expiry() {
            let expired = operation.send(Request::One(&expiry), Repeat::Safe);
            step.answer(Box::pin(expired).await?)?;
        }
        let repeat = step.repeat();
        let mut value = operation.send(Request::One(step.by_hash()), repeat).await?;
        if is_forgotten(&value) {
            let by_text = step.by_text();
            let again = operation.send(Request::One(&by_text), repeat);
            value = Box::pin(again).await?;
        }
        call.reply(step.answer(value)?)
    }

    async fn call_many<'a>(&self, mut calls: Calls<'a>) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(calls.len());
        let (mut steps, mut sent) = (Vec::new(), Vec::new());
        for (at, (key, call)) in calls.iter_mut().enumerate() {
            results.push(match self.step(key, &**call) {
                Ok(step) => {
                    steps.push(step);
                    sent.push(at);
                    Ok(())
                }
                Err(error) => Err(error),
            });
        }
        for ((at, step), value) in sent.into_iter().zip(&steps).zip(self.run_all(&steps).await) {
            let answer = value.and_then(|value| step.answer(value));
            results[at] = answer.and_then(|wire| calls[at].1.reply(wire));
        }
        results
    }
}

impl RedisStore {
    fn step<'a>(&self, key: &'a Key, call: &dyn Call) -> Result<Step<'a>> {
        let now = self.virtual_time.as_ref().map(|clock| clock.now());
        Step::new(&self.scripts, now.map(Timestamp::as_micros), key, call)
    }

    /// Runs all steps in one round trip, and those whose script the server does not know in a
    /// second.
    async fn run_all(&self, steps: &[Step<'_>]) -> Vec<Result<Value>> {
        if steps.is_empty() {
            return Vec::new();
        }
        let operation = match self.node.begin("run_many") {
            Ok(operation) => operation,
            Err(error) => return spread("run_many", steps.len(), Err(error)),
        };
        let all: Vec<_> = steps.iter().collect();
        if let Err(error) = expire_all(&operation, &all).await {
            return spread("run_many", steps.len(), Err(error));
        }
        let mut values = send_all(&operation, &all, &names(&all)).await;
        let forgotten = |at: &usize| values[*at].as_ref().is_ok_and(is_forgotten);
        let forgotten: Vec<_> = (0..steps.len()).filter(forgotten).collect();
        if !forgotten.is_empty() {
            // Each of these is alone on its record, so their order is nobody's concern.
            let again: Vec<_> = forgotten.iter().map(|&at| &steps[at]).collect();
            let sent = send_all(&operation, &again, &names_again(&again)).await;
            for (at, value) in forgotten.into_iter().zip(sent) {
                values[at] = value;
            }
        }
        values
    }
}

/// By text where a record has several steps: one that had to be sent again would run after those
/// that were to follow it.
fn names(steps: &[&Step<'_>]) -> Vec<Named> {
    let mut times: HashMap<&Key, usize> = HashMap::with_capacity(steps.len());
    for step in steps {
        *times.entry(step.key()).or_default() += 1;
    }
    let name = |step: &&Step<'_>| match times[step.key()] {
        1 => Named::ByHash,
        _ => Named::ByText,
    };
    steps.iter().map(name).collect()
}

/// By text where the server is told of a script for the first time.
fn names_again(steps: &[&Step<'_>]) -> Vec<Named> {
    let mut told: Vec<&Step<'_>> = Vec::new();
    let mut names = Vec::with_capacity(steps.len());
    for step in steps {
        if told.iter().any(|told| told.is_same_script(step)) {
            names.push(Named::ByHash);
        } else {
            told.push(step);
            names.push(Named::ByText);
        }
    }
    names
}

async fn send_all(
    operation: &Operation<'_>,
    steps: &[&Step<'_>],
    names: &[Named],
) -> Vec<Result<Value>> {
    let mut pipeline = Pipeline::with_capacity(steps.len());
    for (step, named) in steps.iter().zip(names) {
        pipeline.add_command(match named {
            Named::ByHash => step.by_hash().clone(),
            Named::ByText => step.by_text(),
        });
    }
    // They are sent together, so they are repeated together or not at all.
    let repeat = match steps.iter().all(|step| step.repeat() == Repeat::Safe) {
        true => Repeat::Safe,
        false => Repeat::Never,
    };
    let value = operation.send(Request::Many(&pipeline), repeat).await;
    spread(operation.name(), steps.len(), value)
}

async fn expire_all(operation: &Operation<'_>, steps: &[&Step<'_>]) -> Result<()> {
    let mut pipeline = Pipeline::new();
    for expiry in steps.iter().filter_map(|step| step.expiry()) {
        pipeline.add_command(expiry);
    }
    if pipeline.is_empty() {
        return Ok(());
    }
    let value = operation.send(Request::Many(&pipeline), Repeat::Safe).await;
    let values = spread(operation.name(), pipeline.len(), value);
    for (step, value) in steps.iter().zip(values) {
        step.answer(value?)?;
    }
    Ok(())
}
