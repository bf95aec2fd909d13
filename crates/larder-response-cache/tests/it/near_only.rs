//! Responses that only this process keeps, because the store fails.

use std::sync::Arc;

use larder_response_cache::ResponseCacheBuilder;
use larder_store::{ErrorKind, ManualClock};
use larder_test::ModelStore;
use larder_test::faulty::{Faulty, Trouble};

use crate::fixture::{Fixture, HOUR};
use crate::on_memory::errors::error_after_page;

/// Makes a fixture whose store fails.
fn failing(set: impl FnOnce(ResponseCacheBuilder) -> ResponseCacheBuilder) -> Fixture {
    let clock = ManualClock::default();
    let store = Faulty::new(Arc::new(ModelStore::with_clock(clock.clone())));
    store.switch().set(Trouble::Fail(ErrorKind::NotSent));
    Fixture::on(Arc::new(store), clock, set)
}

#[tokio::test]
async fn while_the_store_fails_an_error_replaces_no_fresh_page_either() {
    let fixture = failing(|builder| builder);
    let error = ("cache-control", "max-age=60");
    error_after_page(&fixture, &fixture, &[HOUR], &[error]).await;
    assert_eq!(fixture.get("/").await.text(), "page");
}
