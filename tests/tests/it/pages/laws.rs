//! The tests of the page about backends.

use std::sync::Arc;

use larder_store::{ManualClock, Namespace, Prefixed};
use larder_test::{ManualFixture, laws};

use super::map_store;
use map_store::MapStore;

laws!(map, fixture(), without [programs, waits, leases, bus, scan]);
laws!(prefixed_map, prefixed(), without [programs, waits, leases, bus, scan]);

fn fixture() -> ManualFixture {
    let clock = ManualClock::default();
    let store = Arc::new(MapStore::new(clock.clone()));
    ManualFixture::shared(store.clone(), clock).counting(move || store.held_keys())
}

fn prefixed() -> ManualFixture {
    let clock = ManualClock::default();
    let namespace = Namespace::new("test", "laws").expect("a namespace");
    let store = Arc::new(MapStore::new(clock.clone()));
    ManualFixture::new(Prefixed::new(namespace, store), clock)
}
