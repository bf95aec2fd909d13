//! The reader of blobs.

use std::sync::Arc;

use larder_proofs::structures::blob::{Shelf, data, read_one, replace_all};
use larder_proofs::structures::{How, Progress};
use larder_store::{ManualClock, Store};
use larder_test::ModelStore;
use larder_test::broken::{BrokenStore, Fault};

#[tokio::test]
async fn a_blob_that_was_written_and_is_gone_is_noticed() {
    let shelf = Shelf::new(How::Structure, Arc::new(ModelStore::new()));
    let progress = Progress::default();
    assert_eq!(read_one(&shelf, &progress, 0).await, None);
    shelf.note_written(0);
    let found = read_one(&shelf, &progress, 0).await;
    assert_eq!(found.as_deref(), Some("a blob that was written is gone"));
    shelf.put(0, &data(0, 7)).await.expect("it is written");
    assert_eq!(read_one(&shelf, &progress, 0).await, None);
}

#[tokio::test]
async fn the_blob_of_another_id_is_noticed() {
    let shelf = Shelf::new(How::Structure, Arc::new(ModelStore::new()));
    shelf.put(0, &data(1, 7)).await.expect("it is written");
    let found = read_one(&shelf, &Progress::default(), 0).await;
    assert!(found.is_some_and(|found| found.ends_with("bytes that nobody wrote")));
}

#[tokio::test]
async fn an_acknowledged_put_that_did_nothing_is_noticed() {
    let wrong = async |store: Arc<dyn Store>| {
        let shelf = Shelf::new(How::Structure, store);
        let mut wrong = Vec::new();
        for seed in 0..4 {
            wrong.extend(replace_all(&shelf, seed).await);
        }
        wrong
    };
    assert_eq!(wrong(Arc::new(ModelStore::new())).await, [""; 0]);
    let fault = Some(Fault::LosesEveryFourthIfVersion);
    let store = BrokenStore::new(fault, ManualClock::default());
    assert!(!wrong(Arc::new(store)).await.is_empty());
}
