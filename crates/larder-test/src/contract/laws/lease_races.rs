use std::sync::Arc;

use larder_store::Key;
use larder_store::lease::{Claim, Claimed, Fence, Leases};
use tokio::sync::Barrier;

use super::Outcome;
use super::scene::{LONG, Scene, cancel_after, race};

const ROUNDS: usize = 1_000;
const CLAIMERS: usize = 8;

pub(super) async fn one_of_many_concurrent_claims_leads(at: Scene<'_>) -> Outcome {
    let (leases, key) = (at.leases()?, at.key("film"));
    let together = Arc::new(Barrier::new(CLAIMERS));
    let led = race(CLAIMERS, |_| {
        let (leases, claim) = (leases.clone(), Claim::new(key.clone(), LONG));
        let together = together.clone();
        async move {
            let mut led = Vec::new();
            for round in 0..ROUNDS {
                together.wait().await;
                let claimed = leases.claim(&claim).await;
                together.wait().await;
                if let Claimed::Lead(fence) = claimed? {
                    led.push((round, fence));
                    let _ = leases.abandon(claim.key(), fence).await?;
                }
            }
            Ok(led)
        }
    })
    .await?;
    let mut led: Vec<_> = led.into_iter().flatten().collect();
    led.sort_unstable();
    let rounds: Vec<_> = led.iter().map(|(round, _)| *round).collect();
    ensure!(
        rounds == (0..ROUNDS).collect::<Vec<_>>(),
        "leaders of {CLAIMERS} claims in {ROUNDS} rounds: expected one in each round, got {} in total",
        rounds.len()
    );
    let rises = led.windows(2).all(|pair| pair[0].1 < pair[1].1);
    ensure!(
        rises,
        "the fences of {ROUNDS} rounds: expected them to rise"
    );
    Ok(())
}

pub(super) async fn no_commit_survives_a_concurrent_invalidation(at: Scene<'_>) -> Outcome {
    for round in 0..200_u64 {
        let put = at.put(round, "read before");
        let fence = at.lead(put.key()).await?;
        let leases = at.leases()?;
        race(2, |number| {
            let (leases, put) = (leases.clone(), put.clone());
            async move {
                // Each of the two runs first in half of the rounds.
                match (number as u64 + round) % 2 {
                    0 => drop(leases.commit(&put, fence).await?),
                    _ => drop(leases.invalidate(put.key()).await?),
                }
                Ok(())
            }
        })
        .await?;
        at.is_absent(put.key(), "after a commit and an invalidation at once")
            .await?;
    }
    Ok(())
}

pub(super) async fn one_of_two_concurrent_commits_is_stored(at: Scene<'_>) -> Outcome {
    for round in 0..200_u64 {
        let puts = ["one", "other"].map(|value| at.put(round, value));
        let fence = at.lead(puts[0].key()).await?;
        let leases = at.leases()?;
        let taken = race(2, |number| {
            let (leases, put) = (leases.clone(), puts[number].clone());
            async move { Ok(leases.commit(&put, fence).await?) }
        })
        .await?;
        let taken = puts.iter().zip(taken);
        let taken: Vec<_> = taken.filter(|(_, taken)| taken.is_stored()).collect();
        ensure_eq!(taken.len(), 1, "stored commits of two");
        at.holds(taken[0].0, "after two commits at once").await?;
    }
    Ok(())
}

pub(super) async fn a_cancelled_commit_is_whole_or_absent(at: Scene<'_>) -> Outcome {
    for polls in 1..=6_usize {
        let put = at.put(polls as u64, "a long night");
        let fence = at.lead(put.key()).await?;
        let leases = at.leases()?;
        let _ = cancel_after(polls, leases.commit(&put, fence)).await;
        let held = at.store.get(put.key()).await?.is_some();
        let still_leads = leads(&leases, put.key(), fence).await?;
        ensure_eq!(
            still_leads,
            !held,
            "whether the lease is held after a cancelled commit, beside a value that is {}",
            if held { "there" } else { "not there" }
        );
    }
    Ok(())
}

pub(super) async fn a_cancelled_claim_ends_by_itself(at: Scene<'_>) -> Outcome {
    for polls in 1..=6_usize {
        let key = at.key(polls as u64);
        let leases = at.leases()?;
        let claim = Claim::new(key.clone(), super::scene::SHORT);
        let _ = cancel_after(polls, leases.claim(&claim)).await;
        at.outlive(super::scene::SHORT).await;
        at.can_be_claimed(&key, "when the time of a cancelled claim has passed")
            .await?;
    }
    Ok(())
}

async fn leads(leases: &Arc<dyn Leases>, key: &Key, fence: Fence) -> Outcome<bool> {
    Ok(leases.renew(key, fence, LONG).await?.is_held())
}
