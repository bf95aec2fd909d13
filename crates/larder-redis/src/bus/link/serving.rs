use std::time::Duration;

use ::redis::{Pipeline, Value};
use larder_store::{Error, ErrorKind, Refusal};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::{End, Link, LinkTarget};
use crate::bus::registry::Change;
use crate::classify;
use crate::connection::Connection;

/// The interval of pings to the server.
///
/// Otherwise a quiet subscription could not be told from a dead one.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// The time that a connection without subscribers is kept, since subscriptions come and go.
const KEPT: Duration = Duration::from_secs(30);

impl Link {
    /// Sends the registry's changes and pings the server until the connection ends.
    pub(super) async fn serve(
        &self,
        connection: &Connection,
        notifier: &Notify,
        broken: &Notify,
    ) -> End {
        let mut next = Instant::now() + ASK_EVERY;
        let mut unwanted_since = None;
        loop {
            let changes = self.registry.changes(self.id);
            if !changes.is_empty() {
                match self.send(connection, broken, &changes).await {
                    Ok(()) => next = Instant::now() + ASK_EVERY,
                    Err(end) => return end,
                }
                continue;
            }
            tokio::select! {
                () = notifier.notified() => {}
                () = broken.notified() => {}
                () = sleep_until(next) => {
                    let mut ping = Pipeline::new();
                    ping.cmd("PING");
                    if self.ask(connection, broken, &ping).await.is_none() {
                        return End::Broke;
                    }
                    next = Instant::now() + ASK_EVERY;
                }
            }
            if !connection.health().is_good() {
                return End::Broke;
            }
            match (self.registry.is_wanted(self.id), unwanted_since) {
                (true, _) => unwanted_since = None,
                (false, None) => unwanted_since = Some(Instant::now()),
                (false, Some(since)) if since.elapsed() >= KEPT => return End::Idle,
                (false, Some(_)) => {}
            }
        }
    }

    /// Sends changes in one pipeline. The push handler has confirmed them to the registry already.
    async fn send(
        &self,
        connection: &Connection,
        broken: &Notify,
        changes: &[Change],
    ) -> Result<(), End> {
        let mut pipeline = Pipeline::with_capacity(changes.len());
        for change in changes {
            pipeline.add_command(match change {
                Change::Subscribe(subject) => subject.subscribe(),
                Change::Unsubscribe(subject) => subject.unsubscribe(),
            });
        }
        let answers = self
            .ask(connection, broken, &pipeline)
            .await
            .ok_or(End::Broke)?;
        for (change, answer) in changes.iter().zip(answers) {
            let Value::ServerError(error) = answer else {
                continue;
            };
            let Change::Subscribe(subject) = change else {
                return Err(End::Broke);
            };
            let refusal = classify::refused("subscribe", &error);
            match (&self.target, error.code()) {
                // Both concern one slot: the other channels of the node stay.
                (LinkTarget::Node(_, Some(view)), "MOVED") => {
                    self.registry.moved_away(self.id, subject.text());
                    view.note_outdated();
                }
                (LinkTarget::Node(_, Some(view)), "CLUSTERDOWN") => {
                    self.registry.unserved(self.id, subject.text(), &refusal);
                    view.note_outdated();
                }
                _ if is_for_good(&refusal) => self.registry.refused(subject.text(), &refusal),
                _ => {
                    self.registry.down(self.id, refusal);
                    return Err(End::Refused);
                }
            }
        }
        Ok(())
    }

    /// Returns the answers to a pipeline. None if the connection broke, or they did not come in
    /// time.
    async fn ask(
        &self,
        connection: &Connection,
        broken: &Notify,
        pipeline: &Pipeline,
    ) -> Option<Vec<Value>> {
        let mut multiplexed = connection.multiplexed();
        let asking = multiplexed.send_packed_commands(pipeline, 0, pipeline.len());
        let patience = self.limits.timeout.max(self.limits.connect_timeout);
        let broke = async {
            while connection.health().is_still_good() {
                broken.notified().await;
            }
        };
        tokio::select! {
            biased;
            answers = timeout(patience, asking) => match answers {
                Ok(Ok(answers)) => Some(answers),
                Ok(Err(_)) => {
                    connection.health().dropped();
                    None
                }
                Err(_) => {
                    connection.health().hung();
                    None
                }
            },
            () = broke => None,
        }
    }
}

fn is_for_good(error: &Error) -> bool {
    error.kind() == ErrorKind::Refused(Refusal::Denied)
}
