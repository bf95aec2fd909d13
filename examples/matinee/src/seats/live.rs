//! Live changes of seats: one topic for each showing, and a stream of server-sent events for each visitor.
//!
//! A message only names the seats that changed. Each stream reads their state after that. So in whatever
//! order messages arrive, the last one leads to the last state, and all visitors see their own seats marked.
//! The position of a message is in the id of its event: a browser that reconnects continues from there.
//! Nothing announces the end of a hold, so each stream also waits for the first hold that it has shown to end, and
//! then shows all seats.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, stream};
use larder::events::topic::{Position, Received, Subscriber, Topic};
use larder::rate_limit::Network;
use larder::store::bus;
use larder::{Store, Ttl};
use rand::Rng as _;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bookings::{Bookings, Denied};
use super::places::{Full, Place, Places};
use super::{Seat, SeatMap, Seen};
use crate::clock::now_ms;

const SEATS: bus::Topic = bus::Topic::sharded("seats");
/// How many changes of a showing a browser may have missed, and how old the last one may be.
const HISTORY: u32 = 100;
const KEPT: Ttl = Ttl::from_secs(60 * 60);
/// The longest stream. After it the browser comes back and goes on, so that no place is taken for ever.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// How long after the end of a hold a stream looks, in milliseconds. It is drawn for each stream, so that those that
/// show the same hold do not all look at once; and holds that end soon after each other are shown together.
const LOOK_AFTER_MS: Range<u64> = 500..1_500;
/// The most changes that are shown together.
const TOGETHER: usize = 64;

/// Announces changed seats, and lets visitors watch them.
#[derive(Clone)]
pub(super) struct Live {
    /// The seats that changed, by showing.
    topic: Topic<BTreeSet<String>>,
    places: Places,
    stop: CancellationToken,
}

/// What to show next to a visitor who watches.
#[derive(Clone, Debug)]
pub(crate) struct SeatsNow {
    /// The current seats, for this visitor.
    pub(crate) map: SeatMap,
    /// The seats that changed. `None` if any may have changed.
    pub(crate) changed: Option<BTreeSet<Seat>>,
    /// Where another stream goes on.
    pub(crate) seen: Option<Seen>,
}

/// One visitor who watches a showing.
struct Watch {
    bookings: Bookings,
    showing: i64,
    user: Option<i64>,
    subscriber: Subscriber<BTreeSet<String>>,
    /// The visitor may have missed something, and must be shown all seats first.
    begins_anew: bool,
    /// When the first hold that the visitor was shown ends.
    hold_ends_ms: Option<i64>,
    /// How long after that the seats are read.
    look_after: Duration,
    stop: CancellationToken,
    until: Instant,
    _place: Place,
}

impl Live {
    /// Streams end once `stop` is cancelled.
    pub(super) fn new(store: Arc<dyn Store>, stop: CancellationToken) -> larder::Result<Self> {
        Ok(Self {
            topic: Topic::new(store, SEATS)?.with_history(HISTORY, KEPT)?,
            places: Places::default(),
            stop,
        })
    }

    /// Announces changed seats in the background, so that a visitor who books does not wait for it.
    pub(super) fn announce(&self, showing: i64, seats: &BTreeSet<Seat>) {
        if seats.is_empty() {
            return;
        }
        let (topic, seats) = (
            self.topic.clone(),
            seats.iter().map(Seat::to_string).collect(),
        );
        tokio::spawn(async move {
            if let Err(error) = topic.publish(showing, &seats).await {
                tracing::warn!(%error, "the visitors who watch a showing were not told of its changed seats");
            }
        });
    }

    /// Returns the position to resume from. Read it before reading the seats.
    pub(super) async fn position(&self, showing: i64) -> larder::Result<Position> {
        self.topic.position(showing).await
    }

    /// Begins to watch a showing. `from` is what the visitor has been shown, if that is known.
    pub(super) async fn watch(
        &self,
        bookings: Bookings,
        showing: i64,
        user: Option<i64>,
        network: Network,
        from: Option<Seen>,
    ) -> Result<impl Stream<Item = SeatsNow> + Send + use<>, Denied> {
        let place = self.places.take(network).map_err(|full| match full {
            Full::Everywhere => Denied::TooManyWatch,
            Full::Network => Denied::TooManyWatchThere,
        })?;
        let (subscriber, begins_anew) = match from {
            Some(seen) => {
                let (subscriber, recovered) = self.topic.resume(showing, seen.position).await?;
                (subscriber, !recovered.is_complete())
            }
            None => (self.topic.subscribe(showing).await?, true),
        };
        let watch = Watch {
            bookings,
            showing,
            user,
            subscriber,
            begins_anew,
            hold_ends_ms: from.and_then(|seen| seen.hold_ends_ms),
            look_after: Duration::from_millis(rand::rng().random_range(LOOK_AFTER_MS)),
            stop: self.stop.clone(),
            until: Instant::now() + LONGEST,
            _place: place,
        };
        Ok(stream::unfold(watch, |mut watch| async move {
            let now = watch.next().await?;
            Some((now, watch))
        }))
    }
}

impl Watch {
    /// Waits for a change and then reads the seats. `None` ends the stream: the browser reconnects.
    async fn next(&mut self) -> Option<SeatsNow> {
        let changed = match std::mem::take(&mut self.begins_anew) {
            true => None,
            false => self.changed().await?,
        };
        let position = self.subscriber.position();
        let map = self.bookings.map(self.showing, self.user).await;
        let map = map
            .inspect_err(|error| tracing::warn!(%error, "seats that changed were not read"))
            .ok()?;
        // While only some seats are shown, the others are still shown as held.
        let shown = changed.as_ref().and(self.hold_ends_ms);
        self.hold_ends_ms = shown.into_iter().chain(map.hold_ends_ms()).min();
        let seen = position.map(|position| Seen {
            position,
            hold_ends_ms: self.hold_ends_ms,
        });
        Some(SeatsNow { map, changed, seen })
    }

    /// Waits for changed seats, and takes all that have arrived. The inner `None` means that any seat may
    /// have changed, because a hold has ended or something was missed.
    async fn changed(&mut self) -> Option<Option<BTreeSet<Seat>>> {
        let left_ms = self.hold_ends_ms.map(|ends| ends.saturating_sub(now_ms()));
        // It is negative if the hold has ended.
        let left_ms = left_ms.map(|left| u64::try_from(left).unwrap_or(0));
        let look_in = left_ms.map(|left| Duration::from_millis(left) + self.look_after);
        let first = tokio::select! {
            () = self.stop.cancelled() => return None,
            () = sleep_until(self.until) => return None,
            () = sleep(look_in.unwrap_or_default()), if look_in.is_some() => return Some(None),
            first = self.subscriber.next() => first?,
        };
        let mut changed = Some(BTreeSet::new());
        add(&mut changed, first);
        for _ in 0..TOGETHER {
            match self.subscriber.next().now_or_never() {
                Some(Some(received)) => add(&mut changed, received),
                _ => break,
            }
        }
        Some(changed)
    }
}

fn add(changed: &mut Option<BTreeSet<Seat>>, received: Received<BTreeSet<String>>) {
    match received {
        Received::Message(message) => {
            if let Some(changed) = changed {
                changed.extend(
                    message
                        .value
                        .iter()
                        .filter_map(|seat| seat.parse::<Seat>().ok()),
                );
            }
        }
        // Something is missing, so all seats are read again.
        _ => *changed = None,
    }
}
