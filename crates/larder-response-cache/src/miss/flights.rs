use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::engine::OriginFailure;

const SHARDS: usize = 16;

/// The fetches under way, one for each key, so that those who want the same wait for one call.
pub(crate) struct Flights {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

type Shard = HashMap<Box<[u8]>, watch::Sender<FetchOutcome>, RandomState>;

/// What became of a fetch, for those who wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchOutcome {
    /// Nothing yet. If it ends so, its leader went away.
    Pending,
    /// The response is stored, and may be served.
    Stored,
    /// There is nothing to share: each has to ask for itself.
    NotShared,
    /// The origin failed, with this status if it answered: who may be served something stale is.
    Failed(OriginFailure, Option<StatusCode>),
}

/// The place of one who asks.
pub(crate) enum Place {
    Lead(Lead),
    Follow(Follow),
}

/// Leads a flight. Dropping it wakes those who wait, and one of them leads the next.
pub(crate) struct Lead {
    flights: Arc<Flights>,
    key: Box<[u8]>,
    outcome: watch::Sender<FetchOutcome>,
}

/// Waits for a flight.
pub(crate) struct Follow {
    outcome: watch::Receiver<FetchOutcome>,
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self {
            shards: Default::default(),
            hasher: RandomState::default(),
        }
    }

    fn shard(&self, key: &[u8]) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// Joins the flight of `key`, or leads a new one.
    pub(crate) fn join(self: &Arc<Self>, key: &[u8]) -> Place {
        let mut shard = self.shard(key).lock();
        if let Some(flight) = shard.get(key) {
            let outcome = flight.subscribe();
            return Place::Follow(Follow { outcome });
        }
        let (sender, _) = watch::channel(FetchOutcome::Pending);
        shard.insert(key.into(), sender.clone());
        Place::Lead(Lead {
            flights: self.clone(),
            key: key.into(),
            outcome: sender,
        })
    }

    /// Leads the flight of `key`, if there is none.
    pub(crate) fn lead(self: &Arc<Self>, key: &[u8]) -> Option<Lead> {
        match self.join(key) {
            Place::Lead(lead) => Some(lead),
            Place::Follow(_) => None,
        }
    }

    /// Takes `stalled` out, so that the next who asks leads a new flight.
    pub(crate) fn give_up(&self, key: &[u8], stalled: &Follow) {
        let mut shard = self.shard(key).lock();
        let is_same = shard
            .get(key)
            .is_some_and(|flight| flight.subscribe().same_channel(&stalled.outcome));
        if is_same {
            shard.remove(key);
        }
    }

    /// Tells those who wait for `key`, whoever they wait for, that the response is stored.
    pub(crate) fn land(&self, key: &[u8]) {
        let flight = self.shard(key).lock().remove(key);
        if let Some(flight) = flight {
            flight.send_replace(FetchOutcome::Stored);
        }
    }
}

impl Lead {
    /// Ends the flight, and tells those who wait.
    pub(crate) fn end(self, outcome: FetchOutcome) {
        match outcome {
            FetchOutcome::Stored => self.flights.land(&self.key),
            _ => self.take_off(),
        }
        self.outcome.send_replace(outcome);
    }

    fn take_off(&self) {
        let mut shard = self.flights.shard(&self.key).lock();
        let is_same = shard
            .get(&self.key)
            .is_some_and(|flight| flight.same_channel(&self.outcome));
        if is_same {
            shard.remove(&self.key);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.take_off();
    }
}

impl Follow {
    /// What became of the flight: [`FetchOutcome::Pending`] where its leader went away; nothing at
    /// `deadline`.
    pub(crate) async fn outcome(&mut self, deadline: Instant) -> Option<FetchOutcome> {
        let ended = self
            .outcome
            .wait_for(|outcome| *outcome != FetchOutcome::Pending);
        match timeout_at(deadline, ended).await {
            Ok(Ok(outcome)) => Some(*outcome),
            Ok(Err(_)) => Some(FetchOutcome::Pending),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(flights: &Arc<Flights>) -> Lead {
        flights.lead(b"a").expect("nobody leads it")
    }

    fn follow(flights: &Arc<Flights>) -> Follow {
        match flights.join(b"a") {
            Place::Follow(follow) => follow,
            Place::Lead(_) => panic!("somebody leads it"),
        }
    }

    fn soon() -> Instant {
        Instant::now() + std::time::Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn all_learn_what_became_of_it() {
        let flights = Arc::new(Flights::new());
        let lead = lead(&flights);
        let (mut one, mut two) = (follow(&flights), follow(&flights));
        lead.end(FetchOutcome::Stored);
        assert_eq!(one.outcome(soon()).await, Some(FetchOutcome::Stored));
        assert_eq!(two.outcome(soon()).await, Some(FetchOutcome::Stored));
        assert!(flights.lead(b"a").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_goes_away_strands_nobody() {
        let flights = Arc::new(Flights::new());
        let lead = lead(&flights);
        let mut one = follow(&flights);
        drop(lead);
        assert_eq!(one.outcome(soon()).await, Some(FetchOutcome::Pending));
        assert!(flights.lead(b"a").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_stalls_is_given_up_and_its_end_harms_no_successor() {
        let flights = Arc::new(Flights::new());
        let stalled = lead(&flights);
        let mut one = follow(&flights);
        assert_eq!(one.outcome(soon()).await, None);
        flights.give_up(b"a", &one);
        let next = lead(&flights);
        drop(stalled);
        let mut two = follow(&flights);
        next.end(FetchOutcome::NotShared);
        assert_eq!(two.outcome(soon()).await, Some(FetchOutcome::NotShared));
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_stored_frees_those_too_who_wait_for_a_later_fetch() {
        let flights = Arc::new(Flights::new());
        let slow = lead(&flights);
        flights.give_up(b"a", &follow(&flights));
        let _next = lead(&flights);
        let mut one = follow(&flights);
        slow.end(FetchOutcome::Stored);
        assert_eq!(one.outcome(soon()).await, Some(FetchOutcome::Stored));
    }
}
