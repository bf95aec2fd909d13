use std::sync::Arc;
use std::time::Duration;

use ::redis::{Pipeline, Value};
use larder_store::{Error, ErrorKind, Refusal};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::feed::Feed;
use super::hub::{Change, Hub, LinkId};
use crate::classify;
use crate::cluster::Guide;
use crate::connection::{Fault, Health, Limits, Line, Member, Pace};

/// How often the server is asked whether it is still there. A subscriber that nothing comes for
/// would else never know that nothing can come.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How long a connection is kept that nobody listens on: subscriptions come and go.
const KEPT: Duration = Duration::from_secs(30);

/// One connection that is listened on, for as long as anybody does.
pub(super) struct Link {
    pub(super) hub: Arc<Hub>,
    pub(super) id: LinkId,
    pub(super) leads: Leads,
    pub(super) limits: Limits,
}

/// Where a link leads.
#[derive(Clone)]
pub(super) enum Leads {
    /// To one server, or to the node of a cluster that serves what is listened to.
    To(Arc<Member>, Option<Guide>),
    /// To whichever node of a cluster.
    Anywhere(Guide),
}

/// How a connection ended.
enum End {
    /// It broke, or nothing came back on it.
    Broke,
    /// The server does not take what it is asked for now.
    Refused,
    /// Nobody listened for a while.
    Idle,
}

impl Link {
    /// Keeps a connection for as long as somebody listens, for ever.
    pub(super) async fn run(self) {
        let told = self.hub.told(self.id);
        let broken = Arc::new(Notify::new());
        let mut pace = Pace::new();
        let mut last: Option<Arc<Line>> = None;
        loop {
            while !self.hub.is_wanted(self.id) {
                self.hub.rest(self.id);
                told.notified().await;
            }
            let Some(line) = self.dial(&mut pace, &broken).await else {
                continue;
            };
            if let Some(last) = last.take() {
                line.succeed(&last, self.limits.connect_deadline).await;
                let server = self.hub.location().clone();
                metrics::counter!("larder_redis_bus_reconnects_total", "server" => server)
                    .increment(1);
            }
            self.hub.up(self.id);
            let end = self.serve(&line, &told, &broken).await;
            // First, so that nothing more comes by it.
            line.close().await;
            self.hub.lost(self.id);
            match end {
                End::Broke => last = Some(line),
                End::Refused => {
                    last = Some(line);
                    pace.back_off().await;
                }
                End::Idle => {}
            }
        }
    }

    /// A connection, unless nobody wants one any more.
    async fn dial(&self, pace: &mut Pace, broken: &Arc<Notify>) -> Option<Arc<Line>> {
        let mut outage = false;
        while self.hub.is_wanted(self.id) {
            pace.admit().await;
            let health = Arc::new(Health::new(broken.clone()));
            let feed = Feed {
                hub: self.hub.clone(),
                link: self.id,
                health: health.clone(),
            };
            let listening = async {
                match self.member() {
                    Some(member) => member.listen(feed, health).await,
                    None => Err(Fault::Broken),
                }
            };
            match listening.await {
                Ok(line) => {
                    pace.succeeded();
                    if outage {
                        tracing::info!(server = %self.hub.location(), "listening again");
                    }
                    return Some(Arc::new(line));
                }
                Err(fault) => {
                    if !std::mem::replace(&mut outage, true) {
                        tracing::warn!(
                            server = %self.hub.location(), %fault, "no connection to listen on"
                        );
                    }
                    self.hub.down(self.id, self.no_connection());
                    pace.back_off().await;
                }
            }
        }
        None
    }

    fn member(&self) -> Option<Arc<Member>> {
        match &self.leads {
            Leads::To(member, _) => Some(member.clone()),
            Leads::Anywhere(guide) => guide.any_master(),
        }
    }

    fn no_connection(&self) -> Error {
        let text = format!(
            "no connection to {} to listen on: it is being dialed again",
            self.hub.location()
        );
        Error::new("subscribe", ErrorKind::NotSent, text)
    }

    async fn serve(&self, line: &Line, told: &Notify, broken: &Notify) -> End {
        let mut next = Instant::now() + ASK_EVERY;
        let mut unwanted_since = None;
        loop {
            let changes = self.hub.changes(self.id);
            if !changes.is_empty() {
                match self.send(line, broken, &changes).await {
                    Ok(()) => next = Instant::now() + ASK_EVERY,
                    Err(end) => return end,
                }
                continue;
            }
            tokio::select! {
                () = told.notified() => {}
                () = broken.notified() => {}
                () = sleep_until(next) => {
                    let mut ping = Pipeline::new();
                    ping.cmd("PING");
                    if self.ask(line, broken, &ping).await.is_none() {
                        return End::Broke;
                    }
                    next = Instant::now() + ASK_EVERY;
                }
            }
            if !line.health().is_good() {
                return End::Broke;
            }
            match (self.hub.is_wanted(self.id), unwanted_since) {
                (true, _) => unwanted_since = None,
                (false, None) => unwanted_since = Some(Instant::now()),
                (false, Some(since)) if since.elapsed() >= KEPT => return End::Idle,
                (false, Some(_)) => {}
            }
        }
    }

    /// Sends what changed, in one go. What the server confirms the hub has heard of already.
    async fn send(&self, line: &Line, broken: &Notify, changes: &[Change]) -> Result<(), End> {
        let mut pipeline = Pipeline::with_capacity(changes.len());
        for change in changes {
            pipeline.add_command(match change {
                Change::Subscribe(subject) => subject.subscribe(),
                Change::Unsubscribe(subject) => subject.unsubscribe(),
            });
        }
        let answers = self.ask(line, broken, &pipeline).await.ok_or(End::Broke)?;
        for (change, answer) in changes.iter().zip(answers) {
            let Value::ServerError(error) = answer else {
                continue;
            };
            let Change::Subscribe(subject) = change else {
                return Err(End::Broke);
            };
            if let (Leads::To(_, Some(guide)), "MOVED") = (&self.leads, error.code()) {
                self.hub.misplaced(self.id, subject.text());
                guide.is_outdated();
                continue;
            }
            let error = classify::refused("subscribe", &error);
            if !is_for_good(&error) {
                self.hub.down(self.id, error);
                return Err(End::Refused);
            }
            self.hub.refused(subject.text(), &error);
        }
        Ok(())
    }

    /// The answers to a pipeline; nothing where the connection broke, or none came in time.
    async fn ask(&self, line: &Line, broken: &Notify, pipeline: &Pipeline) -> Option<Vec<Value>> {
        let mut connection = line.connection();
        let asking = connection.send_packed_commands(pipeline, 0, pipeline.len());
        let patience = self.limits.deadline.max(self.limits.connect_deadline);
        let broke = async {
            while line.health().is_still_good() {
                broken.notified().await;
            }
        };
        tokio::select! {
            biased;
            answers = timeout(patience, asking) => match answers {
                Ok(Ok(answers)) => Some(answers),
                Ok(Err(_)) => {
                    line.health().dropped();
                    None
                }
                Err(_) => {
                    line.health().hung();
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
