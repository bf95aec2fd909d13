//! A store whose reads may be older than what another process has written.

use std::sync::Arc;

use bytes::Bytes;
use larder_store::{Delete, Key, Kind, Put, Store, Ttl};
use larder_structures::blob::Blobs;
use larder_structures::update::{Next, Updates};
use larder_test::{Lagging, ModelStore};

const HOUR: Ttl = Ttl::from_secs(3600);
const CHUNKS: Kind = Kind::pinned("blob-chunk");

#[tokio::test]
async fn a_blob_is_read_whole_though_a_copy_has_its_manifest_and_not_its_chunks() {
    let model = Arc::new(ModelStore::new());
    let lagging = Arc::new(Lagging::new(model.clone()));
    let data = vec![7; 300_000];
    let written = Blobs::new(model.clone(), "test", HOUR).unwrap();
    written.put("a", &data[..]).await.unwrap();

    let scan = model.clone().scan().unwrap();
    let mut chunks = Vec::new();
    for text in scan.page("blob-chunk:", None, 1_000).await.unwrap().keys {
        let key = Key::parse(&text, &[CHUNKS]).unwrap();
        let value = model.get(&key).await.unwrap().unwrap().value;
        let deleted = model.delete(&Delete::new(key.clone())).await.unwrap();
        assert!(deleted.is_deleted());
        chunks.push(Put::new(key, value, HOUR));
    }
    assert_eq!(chunks.len(), 3);
    lagging.freeze();
    for chunk in &chunks {
        assert!(model.put(chunk).await.unwrap().is_stored());
    }

    let blobs = Blobs::new(lagging, "test", HOUR).unwrap();
    let mut read = Vec::new();
    let mut reader = blobs.get("a").await.unwrap().unwrap();
    reader.copy_to(&mut read).await.unwrap();
    assert!(read == data);
}

#[tokio::test]
async fn a_blob_is_removed_though_a_copy_does_not_have_it_yet() {
    let model = Arc::new(ModelStore::new());
    let lagging = Arc::new(Lagging::new(model.clone()));
    let written = Blobs::new(model, "test", HOUR).unwrap();
    lagging.freeze();
    written.put("a", &b"ticket"[..]).await.unwrap();
    let blobs = Blobs::new(lagging, "test", HOUR).unwrap();
    assert!(blobs.remove("a").await.unwrap());
    assert_eq!(written.info("a").await.unwrap(), None);
    assert!(!blobs.remove("a").await.unwrap());
}

#[tokio::test]
async fn a_removal_is_decided_by_what_was_written_and_not_by_an_older_copy() {
    for kind in [Kind::pinned("plan"), Kind::evictable("page")] {
        let model = Arc::new(ModelStore::new());
        let lagging = Arc::new(Lagging::new(model.clone()));
        let key = Key::new(kind, "a");
        lagging.freeze();
        let put = Put::new(key.clone(), "written", HOUR);
        assert!(model.put(&put).await.unwrap().is_stored());
        let remove = |value: Option<&Bytes>| Next::Remove(value.cloned());
        let removed = Updates::new(lagging).update(&key, remove).await.unwrap();
        assert_eq!(removed.as_deref(), Some(&b"written"[..]));
        assert!(model.get(&key).await.unwrap().is_none());
    }
}
