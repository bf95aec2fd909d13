//! All laws, on every store and decorator that keeps the contract.

use larder_store::{ManualClock, Namespace, Prefixed, Store};
use larder_test::{ManualFixture, ModelStore, laws};
use std::sync::Arc;

laws!(model, ManualFixture::model());
laws!(prefixed_model, on_a_manual_clock(|clock| prefixed(ModelStore::with_clock(clock))));

fn on_a_manual_clock<S: Store>(make: impl FnOnce(ManualClock) -> S) -> ManualFixture {
    let clock = ManualClock::default();
    ManualFixture::new(make(clock.clone()), clock)
}

fn prefixed<S: Store>(store: S) -> Prefixed<S> {
    let namespace = Namespace::new("test", "laws").unwrap();
    Prefixed::new(namespace, Arc::new(store))
}
