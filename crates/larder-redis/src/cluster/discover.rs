//! Asks nodes for the slots.

use std::time::Duration;

use ::redis::{Value, cmd};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use larder_store::{Error, ErrorKind, Refusal, Result};
use tokio::time::{Instant, sleep_until};

use super::nodes::Nodes;
use super::topology::Topology;
use crate::connection::HostPort;
use crate::operation::{Operation, Repeat, Request};
use crate::{classify, handshake};

/// The name of a refresh in errors.
pub(super) const NAME: &str = "read the slots";

/// Asks a node for the topology.
pub(super) async fn ask(operation: &Operation<'_>, asked_host: &str) -> Result<Topology> {
    let mut slots = cmd("CLUSTER");
    slots.arg("SLOTS");
    let answer = operation.send(&slots, Repeat::Safe).await?;
    match answer {
        Value::ServerError(error) if error.code() == "ERR" => {
            Err(not_a_cluster(operation.name(), operation.location()))
        }
        Value::ServerError(error) if error.code() == "NOPERM" => Err(Error::new(
            operation.name(),
            ErrorKind::Refused(Refusal::Denied),
            "the user may not run CLUSTER SLOTS: add +cluster|slots to its rules",
        )),
        Value::ServerError(error) => Err(classify::refused(operation.name(), &error)),
        answer => {
            Topology::read(answer, asked_host).ok_or_else(|| classify::unexpected(operation.name()))
        }
    }
}

/// Asks a seed on a temporary connection: the cluster may know it by another name.
pub(super) async fn ask_seed(nodes: &Nodes, seed: &HostPort) -> Result<Topology> {
    let node = nodes.node(seed);
    handshake::connect(&node, handshake::Mode::Cluster).await?;
    let request = Request::read("connect").within(nodes.limits().connect_timeout);
    let operation = node.begin(request)?;
    ask(&operation, &seed.host).await
}

/// Makes the error of a server that is not a node of a cluster.
pub(super) fn not_a_cluster(operation: &'static str, location: &str) -> Error {
    Error::new(
        operation,
        ErrorKind::Invalid,
        format!("{location} is not a node of a cluster: use {location} for one server"),
    )
}

/// Starts attempts one after the other, and returns the first success.
///
/// The next one starts when one failed or after `patience`. If all fail, it returns all errors.
///
/// They are a list: an iterator over borrowed items that is held across an await is not `Send`.
pub(super) async fn first<T, E, F: Future<Output = Result<T, E>>>(
    attempts: Vec<F>,
    patience: Duration,
) -> Result<T, Vec<E>> {
    let mut attempts = attempts.into_iter();
    let mut running = FuturesUnordered::new();
    let mut errors = Vec::new();
    loop {
        let next = attempts.next();
        let is_last = next.is_none();
        running.extend(next);
        let until = Instant::now() + patience;
        loop {
            tokio::select! {
                biased;
                outcome = running.next() => match outcome {
                    Some(Ok(found)) => return Ok(found),
                    Some(Err(error)) => errors.push(error),
                    None if is_last => return Err(errors),
                    None => {}
                },
                () = sleep_until(until), if !is_last => {}
            }
            if !is_last {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn attempt(millis: u64, outcome: Result<u64>) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        outcome
    }

    fn failed() -> Result<u64> {
        Err(Error::new(NAME, ErrorKind::NotSent, "failed"))
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_holds_up_the_next_for_as_long_as_the_patience() {
        let started = Instant::now();
        let attempts = vec![
            attempt(5_000, Ok(1)),
            attempt(10, failed()),
            attempt(20, Ok(3)),
        ];
        let found = first(attempts, Duration::from_millis(100)).await;
        assert_eq!(found.ok(), Some(3));
        // A timer counts whole milliseconds, rounded up.
        assert!(started.elapsed() < Duration::from_millis(135));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_slow_may_still_be_the_first() {
        let attempts = vec![attempt(250, Ok(1)), attempt(5_000, Ok(2))];
        let found = first(attempts, Duration::from_millis(100)).await;
        assert_eq!(found.ok(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_there_are_all_their_errors() {
        let attempts = vec![attempt(250, failed()), attempt(1, failed())];
        let found = first(attempts, Duration::from_millis(100)).await;
        assert_eq!(found.err().map(|errors| errors.len()), Some(2));
        let none: Vec<std::future::Ready<Result<u64>>> = Vec::new();
        let found = first(none, Duration::from_millis(100)).await;
        assert_eq!(found.err().map(|errors| errors.len()), Some(0));
    }
}
