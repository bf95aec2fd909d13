use larder_store::lease::{Claim, Fence, LeaseOutcome};
use larder_store::program::Record;
use larder_store::{Delete, ErrorKind, Key, Part, Put, Refusal};

use super::Outcome;
use super::scene::{LONG, Scene, is_error};
use crate::contract::records::Tally;

pub(super) async fn a_claim_of_an_absent_key_leads(at: Scene<'_>) -> Outcome {
    at.lead(&at.key("film")).await?;
    Ok(())
}

pub(super) async fn a_claim_beside_a_leader_follows(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    at.lead(&key).await?;
    at.is_led(&key, "beside a leader").await?;
    at.is_led(&key, "beside a leader and a follower").await
}

pub(super) async fn a_claim_of_a_present_key_gets_its_value(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let claim = Claim::new(put.key().clone(), LONG);
    at.is_fresh(&claim, &put, "a claim of a present key").await
}

pub(super) async fn a_claim_that_has_seen_the_value_leads(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let claim = Claim::new(put.key().clone(), LONG).having_seen(put.version());
    at.leads(&claim, "a claim that has seen the value").await?;
    at.holds(&put, "after a claim that has seen the value")
        .await
}

pub(super) async fn a_claim_that_has_seen_an_older_value_gets_the_newer_one(
    at: Scene<'_>,
) -> Outcome {
    let (older, newer) = (
        at.put("film", "a long night"),
        at.put("film", "a short one"),
    );
    at.write(&older).await?;
    at.write(&newer).await?;
    let claim = Claim::new(newer.key().clone(), LONG).having_seen(older.version());
    at.is_fresh(&claim, &newer, "a claim that has seen an older value")
        .await
}

pub(super) async fn a_claim_that_has_seen_the_value_beside_a_leader_may_serve_it(
    at: Scene<'_>,
) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let claim = Claim::new(put.key().clone(), LONG).having_seen(put.version());
    at.leads(&claim, "the first claim").await?;
    at.is_stale(&claim, "the second claim").await
}

pub(super) async fn a_claim_that_has_seen_a_deleted_value_follows(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let claim = Claim::new(put.key().clone(), LONG).having_seen(put.version());
    at.leads(&claim, "the first claim").await?;
    let _ = at.store.delete(&Delete::new(put.key().clone())).await?;
    let leases = at.leases()?;
    match leases.claim(&claim).await? {
        larder_store::lease::Claimed::Follow => Ok(()),
        other => Err(super::Violation::new(format!(
            "a claim that has seen a deleted value: expected Follow, got {other:?}"
        ))),
    }
}

pub(super) async fn a_claim_of_an_expired_value_leads(at: Scene<'_>) -> Outcome {
    let (film, other) = (at.expired("film").await?, at.expired("other").await?);
    at.lead(film.key()).await?;
    let claim = Claim::new(other.key().clone(), LONG).having_seen(other.version());
    at.leads(&claim, "a claim that has seen an expired value")
        .await?;
    Ok(())
}

pub(super) async fn a_claim_that_gets_a_value_takes_no_lease(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let claim = Claim::new(put.key().clone(), LONG);
    at.is_fresh(&claim, &put, "a claim of a present key")
        .await?;
    let claim = claim.having_seen(put.version());
    at.leads(&claim, "a claim after one that was fresh").await?;
    Ok(())
}

pub(super) async fn leases_of_different_keys_are_independent(at: Scene<'_>) -> Outcome {
    const PART: Part = Part::new("part");
    let keys = [
        at.key("film"),
        at.key("other"),
        at.key("film").with_part(PART),
        Key::new(at.other_kind(), "film"),
    ];
    let mut fences = Vec::new();
    for key in &keys {
        fences.push(at.lead(key).await?);
    }
    let leases = at.leases()?;
    let _ = leases.abandon(&keys[0], fences[0]).await?;
    for key in &keys[1..] {
        at.is_led(key, "after the lease of another key was given back")
            .await?;
    }
    Ok(())
}

pub(super) async fn plain_puts_leave_the_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    at.write(&at.put("film", "by another way")).await?;
    let held = at.leases()?.renew(&key, fence, LONG).await?;
    ensure_eq!(held, LeaseOutcome::Held, "a renewal after a plain put");
    let put = at.put("film", "by the holder");
    at.commits(&put, fence, "a commit after a plain put").await
}

pub(super) async fn plain_deletes_leave_the_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    at.write(&at.put("film", "by another way")).await?;
    let _ = at.store.delete(&Delete::new(key.clone())).await?;
    let held = at.leases()?.renew(&key, fence, LONG).await?;
    ensure_eq!(held, LeaseOutcome::Held, "a renewal after a plain delete");
    let put = at.put("film", "by the holder");
    at.commits(&put, fence, "a commit after a plain delete")
        .await
}

pub(super) async fn no_record_is_leased(at: Scene<'_>) -> Outcome {
    const WRONG_TYPE: ErrorKind = ErrorKind::Refused(Refusal::WrongType);
    let (leases, key, fence) = (at.leases()?, Key::new(Tally::KIND, "t"), Fence::from_u64(1));
    let claimed = leases.claim(&Claim::new(key.clone(), LONG)).await;
    is_error(claimed, WRONG_TYPE, "claim of a record's key")?;
    let renewed = leases.renew(&key, fence, LONG).await;
    is_error(renewed, WRONG_TYPE, "renew of a record's key")?;
    let committed = leases
        .commit(&Put::new(key.clone(), "1", LONG), fence)
        .await;
    is_error(committed, WRONG_TYPE, "commit to a record's key")?;
    let abandoned = leases.abandon(&key, fence).await;
    is_error(abandoned, WRONG_TYPE, "abandon of a record's key")?;
    let invalidated = leases.invalidate(&key).await;
    is_error(invalidated, WRONG_TYPE, "invalidate of a record's key")?;
    let followed = leases.follow(&key, LONG.into()).await;
    is_error(followed, WRONG_TYPE, "follow of a record's key")
}
