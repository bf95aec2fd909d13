//! A store whose reads may be older than what another process has written.

use std::sync::Arc;

use larder_store::{Delete, Key, Kind, Put, Store, Ttl};
use larder_structures::blob::Blobs;
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
