use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use ::redis::{Cmd, Value};
use async_trait::async_trait;
use larder_store::program::{Call, Calls, Programs};
use larder_store::{Clock, Key, Result, Timestamp};

use crate::classify::copy_error;
use crate::node::{Access, Node, cooperate};
use crate::operation::{Repeat, Request, spread};
use crate::program_step::{Step, get_all, read_alone};
use crate::route::{Batch, Route};
use crate::script::{Named, is_forgotten};
use crate::script_answer;
use crate::store::RedisStore;

/// Programs run as scripts by their hash, or by their text if it is unknown.
#[async_trait]
impl Programs for RedisStore {
    fn now(&self) -> Option<Timestamp> {
        Some(self.virtual_time.as_ref()?.now())
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.route.limits().timeout)
    }

    // Written as `async_trait` would: this way a plain read and a script each have a future of
    // their own size.
    fn call<'s, 'k, 'c, 'f>(
        &'s self,
        key: &'k Key,
        call: &'c mut dyn Call,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'f>>
    where
        's: 'f,
        'k: 'f,
        'c: 'f,
    {
        match self.plain_read(key, call) {
            Some((server, get)) => Box::pin(self.read_plain(server, get, key, call)),
            None => Box::pin(self.run_script(key, call)),
        }
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        if calls.len() > 1
            && self.virtual_time.is_none()
            && let Route::One(server) = &*self.route
            && let Some(gets) = get_all(&calls)
        {
            return get_each(server, &gets, calls).await;
        }
        // Boxed like everything less common, so that the future of reads stays small.
        Box::pin(self.call_each(calls)).await
    }
}

impl RedisStore {
    /// Returns the server and the command of a call that needs no script, on a single server.
    ///
    /// Then there are no redirects, and nothing is sent a second time as a script's text.
    fn plain_read(&self, key: &Key, call: &dyn Call) -> Option<(&Node, Cmd)> {
        match &*self.route {
            Route::One(server) if self.virtual_time.is_none() => {
                Some((server, read_alone(key, call)?))
            }
            _ => None,
        }
    }

    async fn read_plain(
        &self,
        server: &Node,
        get: Cmd,
        key: &Key,
        call: &mut dyn Call,
    ) -> Result<()> {
        let request = Request::new("run", Access::Read).calling(Some(call.script().name()));
        let operation = match server.begin(request) {
            Ok(operation) => operation,
            Err(error) => return cooperate(Err(error)).await,
        };
        let answer = match operation.send(&get, Repeat::Safe).await? {
            error @ Value::ServerError(_) => self.step(key, call)?.answer(error)?,
            value => script_answer::wire(value)?,
        };
        call.reply(answer)
    }

    async fn run_script(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        let step = self.step(key, call)?;
        let request = Request::new("run", step.access()).calling(Some(call.script().name()));
        let begun = self.route.begin(key.as_bytes(), request);
        let operation = begun.await?;
        if let Some(expiry) = step.expiry() {
            let expired = operation.send(&expiry, Repeat::Safe);
            step.answer(Box::pin(expired).await?)?;
        }
        let repeat = step.repeat();
        let called = operation.call(step.by_hash(), || step.by_text(), repeat);
        call.reply(step.answer(called.await?)?)
    }

    async fn call_each(&self, mut calls: Calls<'_>) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(calls.len());
        let mut steps = Vec::with_capacity(calls.len());
        let mut sent = Vec::with_capacity(calls.len());
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
        let values = self.run_all(&mut steps).await;
        for ((at, step), value) in sent.into_iter().zip(&steps).zip(values) {
            let answer = value.and_then(|value| step.answer(value));
            results[at] = answer.and_then(|wire| calls[at].1.reply(wire));
        }
        results
    }

    fn step<'a>(&self, key: &'a Key, call: &dyn Call) -> Result<Step<'a>> {
        let now = self.virtual_time.as_ref().map(|clock| clock.now());
        Step::new(&self.scripts, now.map(Timestamp::as_micros), key, call)
    }

    /// Runs all steps in one round trip, and those with unknown scripts in a second.
    async fn run_all(&self, steps: &mut [Step<'_>]) -> Vec<Result<Value>> {
        if steps.is_empty() {
            return Vec::new();
        }
        let fail = |error| steps.iter().map(|_| Err(copy_error(&error))).collect();
        let access = match steps.iter().all(|step| step.access() == Access::Read) {
            true => Access::Read,
            false => Access::Program,
        };
        let request = Request::new("run_many", access);
        let batch = match self.route.begin_batch(request).await {
            Ok(batch) => batch,
            Err(error) => return fail(error),
        };
        if steps.iter().all(Step::is_command) {
            return send_commands(&batch, steps).await;
        }
        let all: Vec<_> = steps.iter().collect();
        if let Err(error) = expire_all(&batch, &all).await {
            return fail(error);
        }
        let mut values = send_all(&batch, &all, &names(&all)).await;
        let forgotten = |at: &usize| values[*at].as_ref().is_ok_and(is_forgotten);
        let forgotten: Vec<_> = (0..steps.len()).filter(forgotten).collect();
        if !forgotten.is_empty() {
            // Each of these is the only one on its record, so their order does not matter.
            let by_text = vec![Named::ByText; forgotten.len()];
            let again: Vec<_> = forgotten.iter().map(|&at| &steps[at]).collect();
            let sent = send_all(&batch, &again, &by_text).await;
            for (at, value) in forgotten.into_iter().zip(sent) {
                values[at] = value;
            }
        }
        values
    }
}

/// Sends the `GET`s of all calls as one command.
async fn get_each(server: &Node, gets: &Cmd, calls: Calls<'_>) -> Vec<Result<()>> {
    let operation = match cooperate(server.begin(Request::new("run_many", Access::Read))).await {
        Ok(operation) => operation,
        Err(error) => return calls.iter().map(|_| Err(copy_error(&error))).collect(),
    };
    let value = operation.settled(operation.send(gets, Repeat::Safe).await);
    let answers = spread("run_many", calls.len(), value);
    let replies = calls.into_iter().zip(answers);
    let reply = |((_, call), answer): ((_, &mut (dyn Call + '_)), Result<Value>)| {
        call.reply(script_answer::wire(answer?)?)
    };
    replies.map(reply).collect()
}

/// Names the scripts of steps: by text if a record has several steps.
///
/// A step that had to be sent again would run after later steps of its record.
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

/// Sends steps that need no script.
async fn send_commands(batch: &Batch<'_>, steps: &mut [Step<'_>]) -> Vec<Result<Value>> {
    let items = steps
        .iter_mut()
        .map(|step| (step.key(), step.take_command(), step.access()));
    batch.send(items, Repeat::Safe).await
}

async fn send_all(batch: &Batch<'_>, steps: &[&Step<'_>], names: &[Named]) -> Vec<Result<Value>> {
    let command = |(step, named): (&&Step<'_>, &Named)| match named {
        Named::ByHash => step.by_hash().clone(),
        Named::ByText => step.by_text(),
    };
    // They are sent together, so they are repeated together or not at all.
    let repeats = steps.iter().map(|step| step.repeat());
    let repeat = repeats.fold(Repeat::Safe, Repeat::and);
    let items = steps.iter().zip(names);
    let items = items.map(|item| (item.0.key(), command(item), item.0.access()));
    batch.send(items, repeat).await
}

async fn expire_all(batch: &Batch<'_>, steps: &[&Step<'_>]) -> Result<()> {
    let expiries = steps
        .iter()
        .filter_map(|step| Some((step.key(), step.expiry()?, step.access())));
    let expiries: Vec<_> = expiries.collect();
    let values = batch.send(expiries.into_iter(), Repeat::Safe).await;
    for (step, value) in steps.iter().zip(values) {
        step.answer(value?)?;
    }
    Ok(())
}
