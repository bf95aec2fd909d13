//! Splits a batch by node, and repeats redirected items.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redis::{Cmd, Value};
use futures_util::future::join_all;
use larder_store::{Error, ErrorKind, Key, Result};
use tokio::task::coop::consume_budget;

use super::follow::{Hop, RedirectState, asking};
use super::redirect::{Redirect, too_many, unserved};
use super::{Cluster, Shared, slot};
use crate::classify::copy_error;
use crate::node::Access;
use crate::operation::{Repeat, Sequence, after_lost_run};

/// A batch, split by the node that each item goes to. The parts are sent concurrently.
pub(crate) struct Split<'a, 'k> {
    shared: &'a Shared,
    keys: Vec<&'k Key>,
    parts: Vec<Part>,
    answers: Vec<Option<Result<Value>>>,
    /// Whether each item was a write that was repeated after a lost answer.
    lost_runs: Vec<bool>,
    /// Whether any item of the batch was, now or earlier.
    has_lost_run: &'a AtomicBool,
    redirects: RedirectState,
    repeat: Repeat,
}

/// The items for one node, in the order of the batch.
struct Part {
    to: Hop,
    items: Vec<usize>,
    sequence: Sequence,
}

impl Cluster {
    /// Splits a batch by node. Items whose slot has no node get their error now.
    pub(crate) fn split<'a, 'k>(
        &'a self,
        redirects: RedirectState,
        items: impl ExactSizeIterator<Item = (&'k Key, Cmd, Access)>,
        repeat: Repeat,
        has_lost_run: &'a AtomicBool,
    ) -> Split<'a, 'k> {
        let shared = &*self.shared;
        let name = redirects.name;
        let mut split = Split {
            shared,
            keys: Vec::with_capacity(items.len()),
            parts: Vec::new(),
            answers: Vec::with_capacity(items.len()),
            lost_runs: vec![has_lost_run.load(Ordering::Relaxed); items.len()],
            has_lost_run,
            redirects,
            repeat,
        };
        for (at, (key, command, access)) in items.enumerate() {
            split.keys.push(key);
            let master = shared.master(name, slot::slot_of(key.as_bytes()));
            split.answers.push(match master {
                Ok(master) => {
                    add(&mut split.parts, Hop::to(master), at, (command, access));
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
        split
    }
}

/// Adds a command to the part for its node. There are as many parts as nodes: few.
fn add(parts: &mut Vec<Part>, to: Hop, item: usize, (command, access): (Cmd, Access)) {
    let found = parts.iter().position(|part| part.to.is_same(&to));
    let found = found.unwrap_or_else(|| {
        parts.push(Part {
            to,
            items: Vec::new(),
            sequence: Sequence::default(),
        });
        parts.len() - 1
    });
    if let Some(part) = parts.get_mut(found) {
        if part.to.is_asking {
            part.sequence.add(asking(), Access::Read);
        }
        part.items.push(item);
        part.sequence.add(command, access);
    }
}

/// An item that a node redirected.
struct RedirectedItem {
    item: usize,
    command: Cmd,
    access: Access,
    redirect: Redirect,
    /// The answer with the redirect.
    outcome: Result<Value>,
}

impl<'k> Split<'_, 'k> {
    /// Sends the parts, and follows redirects until each item has its answer.
    pub(crate) async fn send(mut self) -> Vec<Result<Value>> {
        while !self.parts.is_empty() {
            let mut parts = std::mem::take(&mut self.parts);
            let sending = parts
                .iter_mut()
                .map(|part| part.send(&self.redirects, self.repeat));
            let outcomes = join_all(sending).await;
            let mut redirected = Vec::new();
            for (part, (outcomes, has_lost_run)) in parts.iter().zip(outcomes) {
                if has_lost_run {
                    part.items
                        .iter()
                        .for_each(|&item| self.lost_runs[item] = true);
                }
                self.sort(part, outcomes, &mut redirected);
            }
            if !redirected.is_empty() {
                redirected.sort_by_key(|redirected| redirected.item);
                self.regroup(redirected).await;
            }
        }
        if self.lost_runs.contains(&true) {
            self.has_lost_run.store(true, Ordering::Relaxed);
        }
        let name = self.redirects.name;
        let settled = |(answer, has_lost_run): (Option<_>, _)| {
            let answer = answer.unwrap_or_else(|| Err(unserved(name)));
            match has_lost_run {
                false => answer,
                true => after_lost_run(name, answer),
            }
        };
        let answers = self.answers.into_iter().zip(self.lost_runs);
        let answers: Vec<_> = answers.map(settled).collect();
        if answers.iter().any(Result::is_err) {
            // As in `cooperate`, because it may have failed without waiting.
            consume_budget().await;
        }
        answers
    }

    /// Keeps the answers, and sets redirected items aside.
    fn sort(
        &mut self,
        part: &Part,
        outcomes: Vec<Result<Value>>,
        redirected: &mut Vec<RedirectedItem>,
    ) {
        let asked_host = part.to.node.host();
        let has_time = self.redirects.has_time();
        let sent = part.items.iter().zip(part.commands());
        for ((&item, (command, access)), outcome) in sent.zip(outcomes) {
            match self.shared.heed(&outcome, asked_host) {
                Some(redirect) if has_time => redirected.push(RedirectedItem {
                    item,
                    command: command.clone(),
                    access,
                    redirect,
                    outcome,
                }),
                _ => self.answers[item] = Some(outcome),
            }
        }
    }

    /// Groups redirected items into new parts. Those of one key stay together and in their order.
    async fn regroup(&mut self, redirected: Vec<RedirectedItem>) {
        let name = self.redirects.name;
        let waits =
            |redirect: &Redirect| !matches!(redirect, Redirect::Moved(_) | Redirect::Ask(_));
        let hopped = match redirected
            .iter()
            .any(|redirected| waits(&redirected.redirect))
        {
            true => {
                self.redirects.pause().await;
                // If it were sent at the deadline it would get no answer; and nothing has been
                // executed so far.
                if !self.redirects.has_time() {
                    for redirected in redirected {
                        self.answers[redirected.item] = Some(redirected.outcome);
                    }
                    return;
                }
                Ok(())
            }
            false => self.redirects.hop(),
        };
        let mut ways: HashMap<&'k Key, Result<Hop>> = HashMap::new();
        for redirected in &redirected {
            let key = self.keys[redirected.item];
            ways.entry(key)
                .or_insert_with(|| match &redirected.redirect {
                    _ if hopped.is_err() => Err(too_many(name)),
                    Redirect::Moved(host_port) => {
                        self.shared.hop_to(name, host_port.as_ref(), false)
                    }
                    Redirect::Ask(host_port) => self.shared.hop_to(name, host_port.as_ref(), true),
                    _ => {
                        let master = self.shared.master(name, slot::slot_of(key.as_bytes()));
                        master.map(Hop::to)
                    }
                });
        }
        let overtaken = self.overtaken(&ways);
        for redirected in redirected {
            let key = self.keys[redirected.item];
            match ways.get(key) {
                Some(Ok(_))
                    if overtaken
                        .get(key)
                        .is_some_and(|&last| last > redirected.item) =>
                {
                    self.answers[redirected.item] = Some(Err(came_too_late(name)));
                }
                Some(Ok(hop)) => add(
                    &mut self.parts,
                    hop.clone(),
                    redirected.item,
                    (redirected.command, redirected.access),
                ),
                Some(Err(error)) => self.answers[redirected.item] = Some(Err(copy_error(error))),
                None => {}
            }
        }
    }

    /// Returns, for each of these keys, its last item with an answer. Earlier items of the batch
    /// must not run after it.
    fn overtaken(&self, ways: &HashMap<&'k Key, Result<Hop>>) -> HashMap<&'k Key, usize> {
        let answered = self.keys.iter().zip(&self.answers).enumerate();
        answered
            .filter(|(_, (key, answer))| answer.is_some() && ways.contains_key(*key))
            .map(|(item, (key, _))| (*key, item))
            .collect()
    }
}

/// Makes the error of an item that a later item of its key has overtaken.
fn came_too_late(operation: &'static str) -> Error {
    Error::new(
        operation,
        ErrorKind::NotSent,
        "the slot of this key moved during the batch, and a later item of the same key has \
         already run",
    )
}

impl Part {
    /// Returns the outcome of each item, and whether a lost write was repeated.
    async fn send(
        &mut self,
        redirects: &RedirectState,
        repeat: Repeat,
    ) -> (Vec<Result<Value>>, bool) {
        let operation = match self.to.begin(redirects) {
            Ok(operation) => operation,
            Err(error) => {
                let failed = self.items.iter().map(|_| Err(copy_error(&error)));
                return (failed.collect(), false);
            }
        };
        let answers = operation.send_sequence(&mut self.sequence, repeat).await;
        let (skipped, step) = self.stride();
        let answers = answers.into_iter().skip(skipped).step_by(step);
        (answers.collect(), operation.has_lost_run())
    }

    /// Returns the commands of the items.
    fn commands(&self) -> impl Iterator<Item = (&Cmd, Access)> {
        let (skipped, step) = self.stride();
        self.sequence.iter().skip(skipped).step_by(step)
    }

    /// Returns the place of the first item in the sequence, and the distance between items.
    fn stride(&self) -> (usize, usize) {
        match self.to.is_asking {
            true => (1, 2),
            false => (0, 1),
        }
    }
}
