use larder_store::Key;
use larder_store::lease::Fence;

use super::Outcome;
use super::scene::{SHORT, Scene};

pub(super) async fn a_fence_rises_after_a_commit(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let first = at.lead(put.key()).await?;
    at.commits(&put, first, "a commit by the holder").await?;
    let _ = at.leases()?.invalidate(put.key()).await?;
    rises(&at, put.key(), first, "after a commit").await
}

pub(super) async fn a_fence_rises_after_an_abandon(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let first = at.lead(&key).await?;
    let _ = at.leases()?.abandon(&key, first).await?;
    rises(&at, &key, first, "after an abandon").await
}

pub(super) async fn a_fence_rises_after_an_invalidation(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let first = at.lead(&key).await?;
    let _ = at.leases()?.invalidate(&key).await?;
    rises(&at, &key, first, "after an invalidation").await
}

pub(super) async fn a_fence_rises_after_the_end_of_a_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let first = at.lead_for(&key, SHORT).await?;
    at.outlive(SHORT).await;
    rises(&at, &key, first, "after the end of a lease").await
}

pub(super) async fn a_fence_rises_through_a_hundred_leases(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let mut last = at.lead(&key).await?;
    for _ in 0..100 {
        let _ = at.leases()?.abandon(&key, last).await?;
        let next = at.lead(&key).await?;
        is_higher(next, last, "after an abandon")?;
        last = next;
    }
    Ok(())
}

async fn rises(at: &Scene<'_>, key: &Key, first: Fence, when: &str) -> Outcome {
    let second = at.can_be_claimed(key, when).await?;
    is_higher(second, first, when)
}

fn is_higher(next: Fence, last: Fence, when: &str) -> Outcome {
    ensure!(
        next > last,
        "the fence {when}: expected more than {last:?}, got {next:?}"
    );
    Ok(())
}
