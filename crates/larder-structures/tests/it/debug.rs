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
use larder_structures::update::Next;

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

#[test]
fn what_a_structure_holds_is_not_shown() {
    const SECRET: &str = "ada@example.org";
    let put = Next::put(SECRET, Ttl::from_secs(7), 3);
    let shown = format!("{put:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(
        shown.starts_with("Put { ttl: ") && shown.contains("returned: 3"),
        "{shown}"
    );
    assert_eq!(format!("{:?}", Next::Remove(3)), "Remove(3)");
    assert_eq!(format!("{:?}", Next::Keep(3)), "Keep(3)");
}

#[tokio::test]
async fn an_item_of_a_recent_list_is_not_shown() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let list = RecentList::new(store, "notices", Ttl::from_secs(3_600)).unwrap();
    let id = list.push("ada", "secret").await.unwrap();
    let page = list.newest("ada", 1).await.unwrap();
    let expected = format!("Item {{ id: {id:?}, .. }}");
    assert_eq!(format!("{:?}", page.items[0]), expected);
    assert!(format!("{page:?}").contains(&expected), "{page:?}");
}

fn shows(structure: &str, shown: &dyn Debug) {
    let expected = format!("{structure} {{ name: \"films\", .. }}");
    assert_eq!(format!("{shown:?}"), expected);
}
