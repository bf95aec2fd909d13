use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder::rate_limit::Network;

/// The most visitors of this process who can watch at once. Others see the page as it was loaded.
const ALL: usize = 1_000;
/// The most of them from one network, so that nobody can take all places.
const EACH: usize = 20;

/// The places for visitors who watch.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_network: HashMap<Network, usize>,
}

/// A place that is taken, until it is dropped.
pub(super) struct Place {
    places: Places,
    network: Network,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// None is left for anybody.
    Everywhere,
    /// None is left for this network.
    Network,
}

impl Places {
    pub(super) fn take(&self, network: Network) -> Result<Place, Full> {
        let mut taken = self.lock();
        if taken.all >= ALL {
            return Err(Full::Everywhere);
        }
        let own = taken.by_network.entry(network).or_default();
        if *own >= EACH {
            return Err(Full::Network);
        }
        *own += 1;
        taken.all += 1;
        drop(taken);
        Ok(Place {
            places: self.clone(),
            network,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(own) = taken.by_network.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn network(number: u32) -> Network {
        Network::of(IpAddr::from(Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn one_network_takes_its_places_and_no_more_until_one_is_free() {
        let places = Places::default();
        let mut taken: Vec<_> = (0..EACH)
            .map(|_| places.take(network(1)).unwrap())
            .collect();
        assert_eq!(places.take(network(1)).err(), Some(Full::Network));
        drop(places.take(network(2)).unwrap());
        taken.pop();
        drop(places.take(network(1)).unwrap());
        taken.clear();
        let left = places.lock();
        assert_eq!((left.all, left.by_network.len()), (0, 0));
    }

    #[test]
    fn many_networks_take_all_places_and_no_more() {
        let places = Places::default();
        let numbers = (0..u32::MAX).take(ALL);
        let taken: Vec<_> = numbers
            .map(|it| places.take(network(it)).unwrap())
            .collect();
        assert_eq!(places.take(network(u32::MAX)).err(), Some(Full::Everywhere));
        drop(taken);
        assert!(places.take(network(u32::MAX)).is_ok());
    }
}
