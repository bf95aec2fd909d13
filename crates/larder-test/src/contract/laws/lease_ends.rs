use std::time::{Duration, Instant};

use larder_store::Ttl;
use larder_store::lease::{Claim, Claimed, Fence, LeaseOutcome};

use super::Outcome;
use super::lease_refusals::made_up;
use super::scene::{LONG, SHORT, Scene};

const EPSILON: Duration = Duration::from_micros(1);

pub(super) async fn a_lease_ends_at_its_deadline(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let began = Instant::now();
    at.lead_for(&key, SHORT).await?;
    if at.is_exact() {
        at.advance(Duration::from(SHORT) - EPSILON).await;
        at.is_led(&key, "1 us before the deadline").await?;
        at.advance(EPSILON).await;
    } else {
        let (at, key) = (&at, &key);
        let is_led = move || async move {
            let claim = Claim::new(key.clone(), LONG);
            let Claimed::Lead(fence) = at.leases()?.claim(&claim).await? else {
                return Ok(true);
            };
            // The key is claimed again below.
            let _ = at.leases()?.abandon(key, fence).await?;
            Ok(false)
        };
        at.lasts(SHORT, began, is_led, "a lease").await?;
    }
    at.can_be_claimed(&key, "at the deadline").await?;
    Ok(())
}

pub(super) async fn a_lease_is_held_up_to_its_deadline(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "just in time");
    let hold = match at.is_exact() {
        true => SHORT,
        false => LONG,
    };
    let fence = at.lead_for(put.key(), hold).await?;
    if at.is_exact() {
        at.advance(Duration::from(SHORT) - EPSILON).await;
    }
    at.commits(&put, fence, "a commit 1 us before the deadline")
        .await?;
    at.holds(&put, "after it").await
}

pub(super) async fn a_renewal_prolongs_a_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    if at.is_exact() {
        let fence = at.lead_for(&key, SHORT).await?;
        at.advance(Duration::from(SHORT) - EPSILON).await;
        renewed(&at, fence, SHORT).await?;
        at.advance(Duration::from(SHORT) - EPSILON).await;
        at.is_led(&key, "1 us before the new deadline").await?;
        at.advance(EPSILON).await;
        at.can_be_claimed(&key, "at the new deadline").await?;
        return Ok(());
    }
    const SECOND: Ttl = Ttl::from_secs(1);
    let fence = at.lead_for(&key, SECOND).await?;
    renewed(&at, fence, LONG).await?;
    at.outlive(SECOND).await;
    at.is_led(&key, "past the deadline before the renewal")
        .await
}

pub(super) async fn a_renewal_may_shorten_a_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    renewed(&at, fence, SHORT).await?;
    at.outlive(SHORT).await;
    at.can_be_claimed(&key, "at the new deadline").await?;
    Ok(())
}

pub(super) async fn only_the_holder_renews(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead_for(&key, SHORT).await?;
    for made_up in made_up(fence) {
        let renewed = at.leases()?.renew(&key, made_up, LONG).await?;
        ensure_eq!(
            renewed,
            LeaseOutcome::NotHeld,
            "a renewal with a made-up fence"
        );
    }
    at.outlive(SHORT).await;
    at.can_be_claimed(&key, "after renewals that were refused")
        .await?;
    Ok(())
}

pub(super) async fn an_expired_lease_is_not_renewed(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead_for(&key, SHORT).await?;
    at.outlive(SHORT).await;
    let renewed = at.leases()?.renew(&key, fence, LONG).await?;
    ensure_eq!(
        renewed,
        LeaseOutcome::NotHeld,
        "a renewal at the end of the lease"
    );
    at.can_be_claimed(&key, "after a renewal of an ended lease")
        .await?;
    Ok(())
}

pub(super) async fn a_lease_that_was_given_back_is_not_renewed(at: Scene<'_>) -> Outcome {
    let (leases, put, key) = (at.leases()?, at.put("film", "a film"), at.key("other"));
    let committed = at.lead(put.key()).await?;
    at.commits(&put, committed, "a commit by the holder")
        .await?;
    let abandoned = at.lead(&key).await?;
    let _ = leases.abandon(&key, abandoned).await?;
    for (key, fence) in [(put.key(), committed), (&key, abandoned)] {
        let renewed = leases.renew(key, fence, LONG).await?;
        ensure_eq!(
            renewed,
            LeaseOutcome::NotHeld,
            "a renewal of a lease that was committed or abandoned"
        );
    }
    at.can_be_claimed(&key, "after it").await?;
    Ok(())
}

pub(super) async fn a_renewal_makes_no_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let renewed = at.leases()?.renew(&key, Fence::from_u64(7), LONG).await?;
    ensure_eq!(
        renewed,
        LeaseOutcome::NotHeld,
        "a renewal of a key that was never claimed"
    );
    at.can_be_claimed(&key, "after it").await?;
    Ok(())
}

async fn renewed(at: &Scene<'_>, fence: Fence, hold: Ttl) -> Outcome {
    let renewed = at.leases()?.renew(&at.key("film"), fence, hold).await?;
    ensure_eq!(renewed, LeaseOutcome::Held, "a renewal by the holder");
    Ok(())
}
