use std::collections::BTreeSet;

use larder_store::Store;
use larder_store::scan::{Cursor, Scan};

use super::support::{HOUR, PAGE, SEAT, Step, Tally, put, run, store_with};

#[tokio::test]
async fn pages_are_full_sorted_and_disjoint_over_both_spaces() {
    let (store, _) = store_with(|builder| builder);
    let mut expected = BTreeSet::new();
    for id in 0..1_000_u32 {
        for kind in [PAGE, SEAT] {
            let put = put(kind, id, HOUR);
            let _ = store.put(&put).await.unwrap();
            expected.insert(put.key().as_str().to_owned());
        }
        run(&store, &Tally::key(id), Step::Add(1, HOUR))
            .await
            .unwrap();
        expected.insert(Tally::key(id).as_str().to_owned());
    }
    let (mut listed, mut after): (Vec<String>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = store.page("", after.as_ref(), 700).await.unwrap();
        listed.extend(page.keys);
        after = page.next;
        if after.is_none() {
            break;
        }
        assert_eq!(listed.len() % 700, 0, "a page before the last is full");
    }
    assert!(listed.iter().eq(expected.iter()));
}

#[tokio::test]
async fn a_cursor_of_a_scan_for_another_prefix_is_refused() {
    let (store, _) = store_with(|builder| builder);
    for id in 0..3_u32 {
        let _ = store.put(&put(SEAT, id, HOUR)).await.unwrap();
    }
    let next = store.page("seat", None, 1).await.unwrap().next.unwrap();
    assert!(store.page("seat", Some(&next), 1).await.is_ok());
    assert!(store.page("page", Some(&next), 1).await.is_err());
}
