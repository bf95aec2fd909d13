use larder_store::lease::FollowOutcome;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use larder_store::{Key, Result};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::scene::{LONG, SHORT, Scene};
use super::{Outcome, Violation};

/// The time within which a follower must end.
const SOON: Duration = Duration::from_secs(10);

pub(super) async fn a_follower_ends_with_the_commit(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    let follower = follower(&at, put.key(), LONG.into()).await?;
    at.commits(&put, fence, "a commit by the holder").await?;
    ends(follower, "a follower after a commit").await
}

pub(super) async fn a_follower_ends_with_an_abandon(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    let follower = follower(&at, &key, LONG.into()).await?;
    let _ = at.leases()?.abandon(&key, fence).await?;
    ends(follower, "a follower after an abandon").await
}

pub(super) async fn a_follower_ends_with_an_invalidation(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    at.lead(&key).await?;
    let follower = follower(&at, &key, LONG.into()).await?;
    let _ = at.leases()?.invalidate(&key).await?;
    ends(follower, "a follower after an invalidation").await
}

pub(super) async fn a_follower_ends_with_an_invalidation_of_many(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    at.lead(&key).await?;
    let follower = follower(&at, &key, LONG.into()).await?;
    let keys = [at.key("other"), key.clone()];
    for answer in at.leases()?.invalidate_many(&keys).await {
        let _ = answer?;
    }
    ends(follower, "a follower after invalidate_many").await
}

pub(super) async fn a_follower_ends_at_the_end_of_the_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    at.lead_for(&key, SHORT).await?;
    let follower = follower(&at, &key, LONG.into()).await?;
    at.outlive(SHORT).await;
    ends(follower, "a follower after the end of the lease").await
}

pub(super) async fn a_follower_waits_no_longer_than_it_was_told(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    at.lead(&key).await?;
    let started = Instant::now();
    let has_ended = at.leases()?.follow(&key, SHORT.into()).await?;
    let waited = started.elapsed();
    ensure_eq!(
        has_ended,
        FollowOutcome::StillHeld,
        "a follower of a lease that is held"
    );
    ensure!(
        waited >= Duration::from(SHORT),
        "a follower of a lease that is held: expected to wait {SHORT:?}, waited {waited:?}"
    );
    ensure!(
        waited < Duration::from(SHORT) + SOON,
        "a follower of a lease that is held: expected to wait {SHORT:?}, waited {waited:?}"
    );
    at.is_led(&key, "after a follower has left").await
}

pub(super) async fn a_follower_without_a_leader_ends_at_once(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let never = follower(&at, put.key(), LONG.into()).await?;
    ends(never, "a follower of a key that was never claimed").await?;
    let fence = at.lead(put.key()).await?;
    at.commits(&put, fence, "a commit by the holder").await?;
    let late = follower(&at, put.key(), LONG.into()).await?;
    ends(late, "a follower that comes after the commit").await
}

pub(super) async fn a_follower_waits_through_a_renewal(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let hold = match at.is_exact() {
        true => SHORT,
        // Long enough that even a busy machine renews it in time.
        false => larder_store::Ttl::from_secs(1),
    };
    let fence = at.lead_for(&key, hold).await?;
    let within = Duration::from(hold) * 2;
    let follower = follower(&at, &key, within).await?;
    let _ = at.leases()?.renew(&key, fence, LONG).await?;
    at.advance(hold.into()).await;
    ensure_eq!(
        joined(follower, "a follower of a lease that was renewed").await?,
        FollowOutcome::StillHeld,
        "a follower of a lease that was renewed"
    );
    Ok(())
}

pub(super) async fn a_follower_ends_at_the_end_of_a_shortened_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    let follower = follower(&at, &key, LONG.into()).await?;
    let _ = at.leases()?.renew(&key, fence, SHORT).await?;
    at.outlive(SHORT).await;
    ends(follower, "a follower of a lease that was shortened").await
}

pub(super) async fn a_follower_ends_although_the_key_is_claimed_again(at: Scene<'_>) -> Outcome {
    // Over a network the follower may only begin after the next claim. It then gets more time before that.
    let head_starts: &[u64] = if at.is_exact() {
        &[0]
    } else {
        &[20, 200, 2_000]
    };
    let mut ended = Ok(());
    for (id, head_start) in head_starts.iter().enumerate() {
        let key = at.key(id as u64);
        let fence = at.lead(&key).await?;
        let within = Duration::from(LONG).min(Duration::from_secs(2 + head_start / 500));
        let follower = follower(&at, &key, within).await?;
        if !at.is_exact() {
            at.advance(Duration::from_millis(*head_start)).await;
        }
        let _ = at.leases()?.abandon(&key, fence).await?;
        at.lead(&key).await?;
        ended = ends(
            follower,
            "a follower of a lease that another caller got next",
        )
        .await;
        if ended.is_ok() {
            break;
        }
    }
    ended
}

pub(super) async fn all_followers_end_together(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    let mut followers = Vec::new();
    for _ in 0..16 {
        followers.push(follower(&at, put.key(), LONG.into()).await?);
    }
    at.commits(&put, fence, "a commit by the holder").await?;
    for follower in followers {
        ends(follower, "one of 16 followers after a commit").await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_follower_changes_nothing(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    let leaving = follower(&at, put.key(), LONG.into()).await?;
    let staying = follower(&at, put.key(), LONG.into()).await?;
    leaving.abort();
    let _ = leaving.await;
    at.is_led(put.key(), "after a follower was dropped").await?;
    at.commits(&put, fence, "a commit by the holder").await?;
    ends(staying, "the follower that stayed").await
}

/// Starts a task that follows, and lets it begin to wait.
async fn follower(
    at: &Scene<'_>,
    key: &Key,
    within: Duration,
) -> Outcome<JoinHandle<Result<FollowOutcome>>> {
    let (leases, key) = (at.leases()?, key.clone());
    let mut follower = Box::pin(async move { leases.follow(&key, within).await });
    let begun = poll_fn(|cx| Poll::Ready(follower.as_mut().poll(cx))).await;
    let follower = tokio::spawn(async move {
        match begun {
            Poll::Ready(answer) => answer,
            Poll::Pending => follower.await,
        }
    });
    if !at.is_exact() {
        at.advance(Duration::from_millis(1)).await;
    }
    Ok(follower)
}

async fn ends(follower: JoinHandle<Result<FollowOutcome>>, what: &str) -> Outcome {
    ensure_eq!(
        joined(follower, what).await?,
        FollowOutcome::Ended,
        "{what}"
    );
    Ok(())
}

async fn joined(follower: JoinHandle<Result<FollowOutcome>>, what: &str) -> Outcome<FollowOutcome> {
    let ended = timeout(SOON, follower).await;
    let ended = ended.map_err(|_| Violation::new(format!("{what}: still waits after {SOON:?}")))?;
    Ok(ended.map_err(|error| Violation::new(format!("{what}: {error}")))??)
}
