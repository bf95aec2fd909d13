mod serving;

use std::sync::Arc;

use larder_store::{Error, ErrorKind};
use tokio::sync::Notify;

use super::feed::Feed;
use super::hub::{Hub, LinkId};
use crate::cluster::Guide;
use crate::connection::{Fault, Health, Limits, Line, Member, Pace};
use serving::End;

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
}
