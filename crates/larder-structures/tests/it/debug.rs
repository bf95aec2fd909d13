//! What `Debug` shows of the structures.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::{Store, Ttl};
use larder_structures::blob::Blobs;
use larder_structures::buckets::{Buckets, Level};
use larder_structures::counter::Counter;
use larder_structures::leaderboard::Leaderboard;
use larder_structures::ledger::Ledger;
use larder_structures::member_set::MemberSet;
use larder_structures::membership::Membership;
use larder_structures::recent_list::RecentList;
use larder_structures::record::Record;
use larder_structures::unique_count::UniqueCount;

#[test]
fn each_structure_shows_its_type_and_name() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let (store, hour) = (|| store.clone(), Ttl::from_secs(3_600));
    let levels = [Level::new(Duration::from_secs(60), 10)];
    shows("Blobs", &Blobs::new(store(), "films", hour).unwrap());
    shows("Buckets", &Buckets::new(store(), "films", &levels).unwrap());
    shows("Counter", &Counter::new(store(), "films", hour).unwrap());
    shows(
        "Leaderboard",
        &Leaderboard::new(store(), "films", hour).unwrap(),
    );
    shows("Ledger", &Ledger::new(store(), "films", hour).unwrap());
    shows(
        "MemberSet",
        &MemberSet::new(store(), "films", hour).unwrap(),
    );
    let membership = Membership::new(store(), "films", 1_000, 0.01, hour);
    shows("Membership", &membership.unwrap());
    shows(
        "RecentList",
        &RecentList::new(store(), "films", hour).unwrap(),
    );
    shows(
        "Record",
        &Record::<()>::new(store(), "films", hour).unwrap(),
    );
    shows(
        "UniqueCount",
        &UniqueCount::new(store(), "films", hour).unwrap(),
    );
}

fn shows(structure: &str, shown: &dyn Debug) {
    let expected = format!("{structure} {{ name: \"films\", .. }}");
    assert_eq!(format!("{shown:?}"), expected);
}
