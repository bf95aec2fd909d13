//! The reader of blobs.

use std::sync::Arc;

use larder_proofs::structures::blob::{Shelf, data, read_one};
use larder_proofs::structures::{How, Progress};
use larder_test::ModelStore;

#[tokio::test]
async fn a_blob_that_was_written_and_is_gone_is_noticed() {
    let shelf = Shelf::new(How::Structure, Arc::new(ModelStore::new()));
    let progress = Progress::default();
    assert_eq!(read_one(&shelf, &progress, 0).await, None);
    shelf.note_written(0);
    let found = read_one(&shelf, &progress, 0).await;
    assert_eq!(found.as_deref(), Some("a blob that was written is gone"));
    shelf.put(0, &data(7)).await.expect("it is written");
    assert_eq!(read_one(&shelf, &progress, 0).await, None);
}
