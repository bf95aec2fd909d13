//! A store whose reads may be older than what another process has written.

use std::sync::Arc;

use larder_test::{Lagging, ModelStore};
use larder_tower_sessions::LarderStore;
use tower_sessions_core::SessionStore;

use crate::{HOUR, record};

#[tokio::test]
async fn a_session_that_another_process_has_signed_out_is_not_loaded_from_an_older_copy() {
    let model = Arc::new(ModelStore::new());
    let lagging = Arc::new(Lagging::new(model.clone()));
    let [sessions, other] = [
        LarderStore::new(lagging.clone()),
        LarderStore::new(model.clone()),
    ];
    let mut record = record(HOUR);
    other.create(&mut record).await.unwrap();
    lagging.freeze();
    assert!(sessions.load(&record.id).await.unwrap().is_some());
    other.delete(&record.id).await.unwrap();
    assert_eq!(sessions.load(&record.id).await.unwrap(), None);
}
