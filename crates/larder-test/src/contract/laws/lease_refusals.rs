use larder_store::Put;
use larder_store::lease::{Claim, Fence};

use super::Outcome;
use super::scene::{LONG, SHORT, Scene};

pub(super) async fn a_value_made_before_an_invalidation_is_refused(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "read before");
    let fence = at.lead(put.key()).await?;
    let _ = at.leases()?.invalidate(put.key()).await?;
    at.is_refused(&put, fence, "a commit after an invalidation")
        .await?;
    at.is_absent(put.key(), "after a commit that was refused")
        .await
}

pub(super) async fn a_value_made_before_an_invalidation_is_refused_beside_the_next_leader(
    at: Scene<'_>,
) -> Outcome {
    let (old, new) = (at.put("film", "read before"), at.put("film", "read after"));
    let first = at.lead(old.key()).await?;
    let _ = at.leases()?.invalidate(old.key()).await?;
    let second = at
        .can_be_claimed(old.key(), "after an invalidation")
        .await?;
    at.is_refused(
        &old,
        first,
        "a commit by the former leader, beside the next one",
    )
    .await?;
    at.is_absent(old.key(), "after a commit that was refused")
        .await?;
    at.commits(&new, second, "a commit by the next leader")
        .await
}

pub(super) async fn a_commit_after_the_end_of_the_lease_is_refused(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "too late");
    let fence = at.lead_for(put.key(), SHORT).await?;
    at.outlive(SHORT).await;
    at.is_refused(&put, fence, "a commit at the end of its lease")
        .await?;
    at.is_absent(put.key(), "after a commit that was refused")
        .await
}

pub(super) async fn a_commit_after_another_caller_got_the_lease_is_refused(
    at: Scene<'_>,
) -> Outcome {
    let put = at.put("film", "too late");
    let first = at.lead_for(put.key(), SHORT).await?;
    at.outlive(SHORT).await;
    let second = at.can_be_claimed(put.key(), "after the end").await?;
    at.is_refused(&put, first, "a commit by the former leader")
        .await?;
    at.is_absent(put.key(), "after a commit that was refused")
        .await?;
    let new = at.put("film", "in time");
    at.commits(&new, second, "a commit by the next leader")
        .await
}

pub(super) async fn a_commit_after_an_abandon_is_refused(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "given up");
    let fence = at.lead(put.key()).await?;
    let _ = at.leases()?.abandon(put.key(), fence).await?;
    at.is_refused(&put, fence, "a commit after an abandon")
        .await?;
    at.is_absent(put.key(), "after a commit that was refused")
        .await
}

pub(super) async fn a_commit_without_a_lease_is_refused(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "made up");
    for number in [0, 1, 1 << 52, u64::MAX] {
        let fence = Fence::from_u64(number);
        at.is_refused(&put, fence, "a commit of a key that was never claimed")
            .await?;
        at.is_absent(put.key(), "after a commit that was refused")
            .await?;
    }
    Ok(())
}

pub(super) async fn a_commit_with_a_made_up_fence_is_refused(at: Scene<'_>) -> Outcome {
    let old = at.put("film", "there before");
    at.write(&old).await?;
    let claim = Claim::new(old.key().clone(), LONG).having_seen(old.version());
    let fence = at.leads(&claim, "a claim that has seen the value").await?;
    for made_up in made_up(fence) {
        let put = at.put("film", "made up");
        at.is_refused(&put, made_up, "a commit with a made-up fence")
            .await?;
        at.holds(&old, "after a commit that was refused").await?;
    }
    Ok(())
}

pub(super) async fn a_refused_commit_leaves_the_lease(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    for made_up in made_up(fence) {
        let wrong = Put::new(put.key().clone(), "made up", LONG);
        at.is_refused(&wrong, made_up, "a commit with a made-up fence")
            .await?;
    }
    at.is_led(put.key(), "after a commit that was refused")
        .await?;
    at.commits(&put, fence, "a commit by the holder after it")
        .await
}

/// Returns made-up fences, below and above `fence`.
pub(super) fn made_up(fence: Fence) -> impl Iterator<Item = Fence> {
    let number = fence.as_u64();
    let around = [
        number.wrapping_sub(1),
        number.saturating_add(1),
        0,
        u64::MAX,
    ];
    around.into_iter().map(Fence::from_u64)
}
