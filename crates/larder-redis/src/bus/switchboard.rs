use std::sync::{Arc, Weak};

use larder_store::{Error, ErrorKind, Interest, Result};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::ear::Sink;
use super::hub::{Hub, LinkId};
use super::link::Link;
use super::subject::{Sort, Subject};
use crate::connection::Limits;
use crate::route::Route;

/// The link of a store on one server.
const ONLY: LinkId = 0;

/// All who listen on the servers of a store.
pub(crate) struct Switchboard {
    hub: Arc<Hub>,
    limits: Limits,
    link: AbortHandle,
}

impl Switchboard {
    /// Begins to keep a connection for as long as somebody listens; nothing where the route does
    /// not allow for it.
    pub(crate) fn start(route: &Route, subscriptions: usize) -> Option<Arc<Self>> {
        let limits = *route.limits();
        let Route::One(member) = route else {
            return None;
        };
        if !member.can_listen() {
            return None;
        }
        let hub = Arc::new(Hub::new(subscriptions, route.location().into()));
        let link = Link {
            hub: hub.clone(),
            id: ONLY,
            member: member.clone(),
            limits,
        };
        let link = tokio::spawn(link.run()).abort_handle();
        Some(Arc::new(Self { hub, limits, link }))
    }

    pub(super) fn subjects(&self, interest: &Interest) -> Vec<(Subject, LinkId)> {
        let channels = interest.channels().iter();
        let channels = channels.map(|channel| Subject::channel(channel, Sort::Channel));
        let patterns = interest.patterns().iter().map(Subject::pattern);
        channels.chain(patterns).map(|it| (it, ONLY)).collect()
    }

    /// Listens until the place is dropped.
    pub(super) async fn listen(
        &self,
        subjects: Vec<(Subject, LinkId)>,
        sink: Sink,
    ) -> Result<Place> {
        // A connection that has to be made first may take as long as any that is made.
        let has_to_dial = subjects.iter().any(|(_, link)| !self.hub.is_up(*link));
        let deadline = match has_to_dial {
            true => self.limits.deadline + self.limits.connect_deadline,
            false => self.limits.deadline,
        };
        let ear = self.hub.add(subjects, sink)?;
        let place = Place {
            hub: Arc::downgrade(&self.hub),
            number: ear.number,
            texts: ear.texts.clone(),
        };
        match timeout(deadline, ear.confirmed()).await {
            Ok(confirmed) => confirmed.map(|()| place),
            Err(_) => {
                let location = self.hub.location();
                let text = format!("{location} did not answer within {deadline:?}");
                Err(Error::new("subscribe", ErrorKind::NotSent, text))
            }
        }
    }

    /// Waits for one message, whatever it says, in the channel that reads as `text`: for those who
    /// are woken by another process, and look for themselves.
    ///
    /// It resolves once it is confirmed, as a subscription does. It costs one round trip where
    /// nobody else of this store listens to the same, and none else.
    #[allow(dead_code)]
    pub(crate) async fn bell(&self, text: &str) -> Result<Bell> {
        let rung = Arc::new(Notify::new());
        let subject = Subject::plain(text, Sort::Channel);
        let sink = Sink::Bell(rung.clone());
        let place = self.listen(vec![(subject, ONLY)], sink).await?;
        Ok(Bell {
            rung,
            _place: place,
        })
    }
}

impl Drop for Switchboard {
    fn drop(&mut self) {
        self.link.abort();
        self.hub.end();
    }
}

/// What somebody who listens holds of the hub.
pub(super) struct Place {
    hub: Weak<Hub>,
    number: u64,
    texts: Vec<Box<str>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.remove(self.number, &self.texts);
        }
    }
}

/// Rings when there was a message, or one may have been lost.
pub(crate) struct Bell {
    rung: Arc<Notify>,
    _place: Place,
}

impl Bell {
    /// Waits until it rings; at once where it rang since it was waited for last. Waiting may end
    /// early, and a dropped wait loses nothing. It never ends where the store does, so it needs a
    /// deadline.
    #[allow(dead_code)]
    pub(crate) async fn rung(&self) {
        self.rung.notified().await;
    }
}
