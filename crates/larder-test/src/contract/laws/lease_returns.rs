use larder_store::lease::{Claim, LeaseOutcome};
use larder_store::program::Record;
use larder_store::{DeleteOutcome, ErrorKind, Key, Put, Refusal};

use super::Outcome;
use super::lease_refusals::made_up;
use super::scene::{LONG, SHORT, Scene, is_error};
use crate::contract::records::Tally;

pub(super) async fn an_abandoned_lease_can_be_claimed(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    let given_back = at.leases()?.abandon(&key, fence).await?;
    ensure_eq!(given_back, LeaseOutcome::Held, "an abandon by the holder");
    at.can_be_claimed(&key, "after an abandon").await?;
    Ok(())
}

pub(super) async fn only_the_holder_abandons(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    for made_up in made_up(fence) {
        let given_back = at.leases()?.abandon(&key, made_up).await?;
        ensure_eq!(
            given_back,
            LeaseOutcome::NotHeld,
            "an abandon with a made-up fence"
        );
    }
    at.is_led(&key, "after an abandon that was refused").await
}

pub(super) async fn an_expired_lease_is_not_abandoned(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead_for(&key, SHORT).await?;
    at.outlive(SHORT).await;
    let given_back = at.leases()?.abandon(&key, fence).await?;
    ensure_eq!(
        given_back,
        LeaseOutcome::NotHeld,
        "an abandon at the end of the lease"
    );
    Ok(())
}

pub(super) async fn an_abandon_leaves_the_value(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let claim = Claim::new(put.key().clone(), LONG).having_seen(put.version());
    let fence = at.leads(&claim, "a claim that has seen the value").await?;
    let _ = at.leases()?.abandon(put.key(), fence).await?;
    at.holds(&put, "after an abandon").await
}

pub(super) async fn an_invalidation_reports_whether_it_deleted_a_value(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    let leases = at.leases()?;
    let was_there = leases.invalidate(put.key()).await?;
    ensure_eq!(
        was_there,
        DeleteOutcome::NotDeleted,
        "invalidate of an absent key"
    );
    at.write(&put).await?;
    let was_there = leases.invalidate(put.key()).await?;
    ensure_eq!(
        was_there,
        DeleteOutcome::Deleted,
        "invalidate of a present key"
    );
    let was_there = leases.invalidate(put.key()).await?;
    ensure_eq!(was_there, DeleteOutcome::NotDeleted, "a second invalidate");
    Ok(())
}

pub(super) async fn an_invalidation_finds_no_expired_value(at: Scene<'_>) -> Outcome {
    let put = at.expired("film").await?;
    let was_there = at.leases()?.invalidate(put.key()).await?;
    ensure_eq!(
        was_there,
        DeleteOutcome::NotDeleted,
        "invalidate of an expired value"
    );
    Ok(())
}

pub(super) async fn an_invalidation_removes_the_value(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let _ = at.leases()?.invalidate(put.key()).await?;
    at.is_absent(put.key(), "after an invalidation").await
}

pub(super) async fn an_invalidation_ends_the_lease(at: Scene<'_>) -> Outcome {
    let key = at.key("film");
    let fence = at.lead(&key).await?;
    let _ = at.leases()?.invalidate(&key).await?;
    let renewed = at.leases()?.renew(&key, fence, LONG).await?;
    ensure_eq!(
        renewed,
        LeaseOutcome::NotHeld,
        "a renewal after an invalidation"
    );
    at.can_be_claimed(&key, "after an invalidation").await?;
    Ok(())
}

pub(super) async fn invalidate_many_answers_in_order(at: Scene<'_>) -> Outcome {
    let puts = ["a", "b"].map(|id| at.put(id, id));
    for put in &puts {
        at.write(put).await?;
    }
    let keys = [
        puts[0].key(),
        &at.key("absent"),
        puts[1].key(),
        puts[0].key(),
    ];
    let keys: Vec<Key> = keys.into_iter().cloned().collect();
    let answers = at.leases()?.invalidate_many(&keys).await;
    let told: Vec<_> = answers.into_iter().map(Result::ok).collect();
    let expected =
        [true, false, true, false].map(|is_deleted| Some(DeleteOutcome::from(is_deleted)));
    ensure_eq!(told, expected, "what invalidate_many answers");
    for put in &puts {
        at.is_absent(put.key(), "after invalidate_many").await?;
    }
    let none = at.leases()?.invalidate_many(&[]).await.len();
    ensure_eq!(none, 0, "answers of invalidate_many of nothing");
    Ok(())
}

pub(super) async fn invalidate_many_ends_each_lease(at: Scene<'_>) -> Outcome {
    let keys = ["a", "b", "c"].map(|id| at.key(id));
    let mut fences = Vec::new();
    for key in &keys {
        fences.push(at.lead(key).await?);
    }
    for answer in at.leases()?.invalidate_many(&keys).await {
        let _ = answer?;
    }
    for (key, fence) in keys.iter().zip(fences) {
        let put = Put::new(key.clone(), "read before", LONG);
        at.is_refused(&put, fence, "a commit after invalidate_many")
            .await?;
        at.can_be_claimed(key, "after invalidate_many").await?;
    }
    Ok(())
}

pub(super) async fn invalidate_many_fails_item_by_item(at: Scene<'_>) -> Outcome {
    const WRONG_TYPE: ErrorKind = ErrorKind::Refused(Refusal::WrongType);
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let keys = [Key::new(Tally::KIND, "t"), put.key().clone()];
    let mut answers = at.leases()?.invalidate_many(&keys).await.into_iter();
    if let Some(answer) = answers.next() {
        is_error(answer, WRONG_TYPE, "invalidate_many of a record's key")?;
    }
    let told: Vec<_> = answers.map(|answer| answer.ok()).collect();
    ensure_eq!(
        told,
        [Some(DeleteOutcome::Deleted)],
        "the answers beside it"
    );
    at.is_absent(put.key(), "after invalidate_many").await
}
