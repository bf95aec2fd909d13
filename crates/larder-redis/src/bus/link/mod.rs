mod serving;

use std::future::pending;
use std::sync::Arc;

use larder_store::{Error, ErrorKind};
use tokio::sync::Notify;

use super::feed::Feed;
use super::hub::{Hub, LinkId};
use crate::cluster::Guide;
use crate::connection::{Fault, Health, Limits, Line, Member, Pace};
use serving::End;

/// A connection, and the server at its other end.
type Listening = (Arc<Line>, Arc<Member>);

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
            let Some((line, member)) = self.dial(&mut pace, &broken).await else {
                continue;
            };
            if let Some(last) = last.take() {
                line.succeed(&last, self.limits.connect_deadline).await;
                let server = self.hub.location().clone();
                metrics::counter!("larder_redis_bus_reconnects_total", "server" => server)
                    .increment(1);
            }
            self.hub.up(self.id);
            let end = tokio::select! {
                end = self.serve(&line, &told, &broken) => end,
                () = self.left(&member) => End::Broke,
            };
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
    async fn dial(&self, pace: &mut Pace, broken: &Arc<Notify>) -> Option<Listening> {
        let mut outage = false;
        while self.hub.is_wanted(self.id) {
            pace.admit().await;
            let feed = |health: Arc<Health>| Feed {
                hub: self.hub.clone(),
                link: self.id,
                health,
            };
            let listening = async {
                let member = self.member().ok_or(Fault::Broken)?;
                let line = member.listen(feed, broken).await?;
                Ok::<_, Fault>((Arc::new(line), member))
            };
            match listening.await {
                Ok(listening) => {
                    pace.succeeded();
                    if outage {
                        tracing::info!(server = %self.hub.location(), "listening again");
                    }
                    return Some(listening);
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

    /// Waits until a node has left the nodes that serve slots, where any of them would do. What it
    /// hears then is what reaches it, which may be nothing, and it goes on answering.
    async fn left(&self, member: &Member) {
        if let Leads::Anywhere(guide) = &self.leads {
            let mut generation = guide.generation();
            while guide.serves(member) && generation.changed().await.is_ok() {}
        } else {
            pending().await
        }
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
}
