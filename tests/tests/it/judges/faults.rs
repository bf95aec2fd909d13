//! The ledger of a load under faults.

use std::sync::Arc;
use std::time::Duration;

use larder_proofs::faults::load::{Ledger, Load};
use larder_store::{Key, Kind, Store};
use larder_test::ModelStore;
use larder_test::faulty::{Faulty, Lie, Operations, Trouble};
use tokio::time::sleep;

/// A load of a second on a store whose reads lie, up to the end or beyond it.
async fn under(lie: Lie, is_healed: bool) -> Ledger {
    let store = Faulty::new(Arc::new(ModelStore::new()));
    let switch = store.switch();
    let store: Arc<dyn Store> = Arc::new(store);
    let load = Load::begin(store.clone(), 100).await;
    sleep(Duration::from_secs(1)).await;
    switch.set_on(Operations::Reads, Trouble::Lie(lie));
    if is_healed {
        sleep(Duration::from_secs(1)).await;
        switch.clear();
    }
    load.stop(store).await
}

#[tokio::test(start_paused = true)]
async fn a_read_of_nothing_or_of_another_value_is_noticed() {
    let absent = Lie::ValueOf(Key::new(Kind::pinned("note"), "absent"));
    for lie in [Lie::BitFlipped, absent] {
        let ledger = under(lie, true).await;
        assert_eq!((ledger.failed(), ledger.lost), (0, 0));
        assert!(ledger.wrong > 20, "{} of 33 are noticed", ledger.wrong);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_or_changed_in_the_end_is_noticed() {
    let ledger = under(Lie::BitFlipped, false).await;
    // The notes from before the load, and a third of its operations.
    assert!(ledger.wrong > 64 + 20, "{} are noticed", ledger.wrong);
    let absent = Lie::ValueOf(Key::new(Kind::pinned("note"), "absent"));
    let ledger = under(absent, false).await;
    assert!(ledger.lost > 64 + 20, "{} are noticed", ledger.lost);
}
