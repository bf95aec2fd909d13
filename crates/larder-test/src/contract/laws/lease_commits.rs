use std::time::Duration;

use bytes::Bytes;
use larder_store::lease::Claim;
use larder_store::{
    Condition, DEFAULT_MAX_VALUE, ErrorKind, Put, SettleOutcome, StoreExt, Version,
};

use super::Outcome;
use super::lease_refusals::made_up;
use super::scene::{LONG, SHORT, Scene, is_error};

pub(super) async fn a_commit_writes_what_was_put(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    at.commits(&put, fence, "a commit by the holder").await?;
    at.holds(&put, "after a commit").await?;
    let settled = at.store.settle(&put).await?;
    ensure_eq!(settled, SettleOutcome::Stored, "settle after a commit");
    Ok(())
}

pub(super) async fn a_commit_over_a_value_replaces_it(at: Scene<'_>) -> Outcome {
    let (old, new) = (at.put("film", "a long night"), at.put("film", "dawn"));
    at.write(&old).await?;
    let claim = Claim::new(old.key().clone(), LONG).having_seen(old.version());
    let fence = at.leads(&claim, "a claim that has seen the value").await?;
    at.commits(&new, fence, "a commit over the value that was seen")
        .await?;
    at.holds(&new, "after a commit over the value that was seen")
        .await
}

pub(super) async fn a_commit_gives_the_lease_back(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    at.commits(&put, fence, "a commit by the holder").await?;
    let claim = Claim::new(put.key().clone(), LONG).having_seen(put.version());
    at.leads(&claim, "a claim after a commit").await?;
    Ok(())
}

pub(super) async fn a_lease_is_committed_once(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    at.commits(&put, fence, "a commit by the holder").await?;
    let again = at.put("film", "again");
    at.is_refused(&again, fence, "a second commit with one fence")
        .await?;
    at.holds(&put, "after a second commit").await
}

pub(super) async fn the_ttl_of_a_committed_value_begins_with_the_commit(at: Scene<'_>) -> Outcome {
    let put = Put::new(at.key("film"), "a long night", SHORT);
    let fence = at.lead(put.key()).await?;
    at.advance(Duration::from(SHORT)).await;
    at.commits(&put, fence, "a commit after a while").await?;
    if at.is_exact() {
        at.advance(Duration::from(SHORT) - Duration::from_micros(1))
            .await;
        at.holds(&put, "1 us before its TTL has passed since the commit")
            .await?;
        at.advance(Duration::from_micros(1)).await;
    } else {
        at.outlive(SHORT).await;
    }
    at.is_absent(put.key(), "when its TTL has passed since the commit")
        .await
}

pub(super) async fn a_commit_tests_the_condition_of_its_put(at: Scene<'_>) -> Outcome {
    let there = at.put("film", "by another way");
    let other = Condition::IfVersion(Version::random());
    let same = Condition::IfVersion(there.version());
    let (absent, present) = (Condition::IfAbsent, Condition::IfPresent);
    for (number, (condition, is_there, is_met)) in [
        (absent, false, true),
        (absent, true, false),
        (present, false, false),
        (present, true, true),
        (same, true, true),
        (same, false, false),
        (other, true, false),
    ]
    .into_iter()
    .enumerate()
    {
        let key = at.key(number as u64);
        let (before, put) = (
            there.clone().at(key.clone()),
            at.put(number as u64, "by the holder").on(condition),
        );
        let fence = at.lead(&key).await?;
        if is_there {
            at.write(&before).await?;
        }
        let taken = at.leases()?.commit(&put, fence).await?;
        ensure_eq!(taken.is_stored(), is_met, "a commit, case {number}");
        match (is_met, is_there) {
            (true, _) => {
                at.holds(&put, "after a commit whose condition was met")
                    .await?
            }
            (_, true) => {
                at.holds(&before, "after a commit whose condition was not met")
                    .await?
            }
            _ => {
                at.is_absent(&key, "after a commit whose condition was not met")
                    .await?
            }
        }
    }
    Ok(())
}

pub(super) async fn a_commit_on_an_unmet_condition_keeps_the_lease(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    at.is_refused(&put.clone().if_present(), fence, "a commit if present")
        .await?;
    at.is_led(put.key(), "after a commit whose condition was not met")
        .await?;
    at.commits(
        &put,
        fence,
        "a commit after one whose condition was not met",
    )
    .await
}

pub(super) async fn a_commit_that_is_too_large_changes_nothing(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let fence = at.lead(put.key()).await?;
    let large = at.put("film", Bytes::from(vec![0; DEFAULT_MAX_VALUE + 1]));
    let answer = at.leases()?.commit(&large, fence).await;
    is_error(answer, ErrorKind::TooLarge, "a commit of 16 MiB and a byte")?;
    at.is_absent(put.key(), "after a commit that was too large")
        .await?;
    for made_up in made_up(fence) {
        let answer = at.leases()?.commit(&large, made_up).await;
        is_error(answer, ErrorKind::TooLarge, "the same with another fence")?;
    }
    at.commits(&put, fence, "a commit after one that was too large")
        .await
}
