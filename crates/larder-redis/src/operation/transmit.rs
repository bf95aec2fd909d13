//! Sends commands over the node's connection, and repeats them after a lost answer.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use ::redis::Value;
use larder_store::{Error, ErrorKind, Result};
use tokio::time::timeout_at;
use tracing::Instrument;

use super::commands::Commands;
use super::span::answered;
use super::{Operation, Repeat};
use crate::classify;
use crate::connection::Connection;
use crate::node::ran_nothing;

impl Operation<'_> {
    pub(super) async fn transmit(&self, commands: Commands<'_>, repeat: Repeat) -> Result<Value> {
        let Some(span) = self.span(commands) else {
            return self.transmit_unseen(commands, repeat).await;
        };
        // Boxed, so that the future of the common case stays small.
        let sent = Box::pin(self.transmit_unseen(commands, repeat));
        let outcome = sent.instrument(span.clone()).await;
        answered(&span, commands, &outcome);
        outcome
    }

    async fn transmit_unseen(&self, commands: Commands<'_>, repeat: Repeat) -> Result<Value> {
        let mut repeats = match repeat {
            Repeat::Safe | Repeat::Idempotent => 1,
            Repeat::Never => 0,
        };
        let (mut lost, mut was_demoted) = (None, false);
        loop {
            let connection = match self.node.good_connection() {
                Some(connection) => connection,
                None => match Box::pin(self.node.next_connection(self.name, self.deadline)).await {
                    Ok(connection) => connection,
                    // An earlier attempt may still have been executed.
                    Err(error) => return Err(lost.map_or(error, |lost| self.lost(lost))),
                },
            };
            match self.attempt(&connection, commands).await {
                Ok(value) if self.node.is_demoted_by(commands.answers(&value)) => {
                    connection.health().dropped();
                    // If nothing was executed, this is not a repetition; but it must end as well.
                    let ran_nothing = ran_nothing(commands.answers(&value));
                    let is_second = std::mem::replace(&mut was_demoted, true);
                    if !ran_nothing || is_second || !self.has_time() {
                        return Ok(value);
                    }
                    continue;
                }
                Ok(value) => return Ok(value),
                Err(error) if repeats == 0 || !self.has_time() => {
                    return Err(self.lost(error));
                }
                Err(error) => lost = Some(error),
            }
            if repeat == Repeat::Idempotent {
                self.note_lost_run();
            }
            repeats -= 1;
        }
    }

    async fn attempt(
        &self,
        connection: &Connection,
        commands: Commands<'_>,
    ) -> Result<Value, Lost> {
        let mut multiplexed = connection.multiplexed();
        let wait = connection.health().wait();
        let mut answer = pin!(commands.send(&mut multiplexed));
        let answer = poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if connection.health().is_still_good() => Poll::Pending,
            // The driver may have ended, so that no answer will ever come.
            Poll::Pending => Poll::Ready(None),
        });
        match timeout_at(self.deadline, answer).await {
            Ok(Some(Ok(value))) => {
                wait.answered();
                Ok(value)
            }
            Ok(None) => {
                wait.dropped();
                Err(Lost::Dropped(Some(io::ErrorKind::NotConnected.into())))
            }
            Ok(Some(Err(error))) => {
                // The client returns an error here only if the connection has become useless.
                wait.dropped();
                Err(Lost::Dropped(classify::system(&error)))
            }
            Err(_) => {
                wait.unanswered();
                Err(Lost::Unanswered)
            }
        }
    }

    fn lost(&self, lost: Lost) -> Error {
        let location = &self.node.location;
        let lost_by = |text: String| Error::new(self.name, ErrorKind::MayHaveRun, text);
        match lost {
            Lost::Unanswered => {
                metrics::counter!("larder_redis_timeouts_total", "server" => location.clone())
                    .increment(1);
                let time = self.time;
                lost_by(format!("{location} did not answer within {time:?}"))
            }
            Lost::Dropped(None) => lost_by(format!(
                "the answer of {location} does not follow the Redis protocol"
            )),
            Lost::Dropped(Some(system)) => {
                lost_by(format!("the connection to {location} was dropped")).with_source(system)
            }
        }
    }
}

/// The way in which an answer was lost.
enum Lost {
    Unanswered,
    Dropped(Option<io::Error>),
}
