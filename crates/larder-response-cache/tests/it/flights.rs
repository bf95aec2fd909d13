//! How long one waits for the fetch of another.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::fixture::{Fixture, HOUR, full, response};

/// Lets the next request wait until it is told to go on.
fn held(fixture: &Fixture) -> oneshot::Sender<()> {
    let (go, wait) = oneshot::channel();
    fixture.origin.then_with(move |_| {
        Box::pin(async move {
            let _ = wait.await;
            Ok(response(200, &[HOUR], full("one")))
        })
    });
    go
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stalls_is_given_up_after_a_while() {
    let fixture = std::sync::Arc::new(Fixture::new());
    let _never = held(&fixture);
    let leader = tokio::spawn({
        let fixture = fixture.clone();
        async move { fixture.get("/").await }
    });
    settle().await;
    fixture.origin.then(200, &[HOUR], "two");
    let begun = tokio::time::Instant::now();
    assert_eq!(fixture.get("/").await.text(), "two");
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert!(fixture.get("/").await.is_hit());
    leader.abort();
}
