use std::collections::HashSet;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use larder::rate_limit::ClientAddress;
use larder::structures::leaderboard::Window;
use larder::structures::unique_count::UniqueCount;
use larder::{Store, Ttl};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep;

use crate::config::Config;
use crate::limits;

const KEPT: Ttl = Ttl::from_secs(2 * 24 * 60 * 60);
/// How many visits may wait to be counted, and how many are counted at once. Further visits are not
/// counted.
const WAITING: usize = 1_000;
/// The pause between two additions: a process makes at most a few round trips per second for this.
const PAUSE: Duration = Duration::from_millis(200);

/// Counts the addresses that visit on a day, UTC, in a few kilobytes, however many there are.
///
/// The addresses are not stored: each only changes a register of the count.
#[derive(Clone)]
pub(crate) struct Visitors {
    count: UniqueCount,
    address: ClientAddress,
    visits: Sender<IpAddr>,
}

/// The receiving end: adds the visits to the count.
pub(crate) struct CountVisits {
    count: UniqueCount,
    visits: Receiver<IpAddr>,
}

impl Visitors {
    pub(crate) fn new(
        config: &Config,
        store: Arc<dyn Store>,
    ) -> larder::Result<(Self, CountVisits)> {
        let count = UniqueCount::new(store, "visitors", KEPT)?;
        let (sender, visits) = channel(WAITING);
        let visitors = Self {
            count: count.clone(),
            address: limits::address(config),
            visits: sender,
        };
        Ok((visitors, CountVisits { count, visits }))
    }

    pub(super) async fn today(&self) -> larder::Result<u64> {
        self.count.count(Window::Day.at(SystemTime::now())).await
    }
}

/// Records a visit, outside the cache of pages. The request does not wait for it.
pub(crate) async fn note_visit(
    State(visitors): State<Arc<Visitors>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(address) = visitors.address.find(&parts) {
        // If too many are waiting, it is not counted.
        let _ = visitors.visits.try_send(address);
    }
    next.run(Request::from_parts(parts, body)).await
}

impl CountVisits {
    /// Keeps adding visits to the count, many at once, for as long as the app runs.
    pub(crate) async fn run(mut self) {
        let mut visits = Vec::with_capacity(WAITING);
        loop {
            if self.visits.recv_many(&mut visits, WAITING).await == 0 {
                // No further request can come.
                pending::<()>().await;
            }
            let addresses: HashSet<_> = visits.drain(..).collect();
            let addresses = addresses.into_iter().map(|address| address.to_string());
            let today = Window::Day.at(SystemTime::now());
            if let Err(error) = self.count.add(today, addresses).await {
                tracing::debug!(%error, "some visits were not counted");
            }
            sleep(PAUSE).await;
        }
    }
}
