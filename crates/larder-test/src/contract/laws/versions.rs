use std::collections::HashSet;

use larder_store::{Delete, PutOutcome, SettleOutcome, StoreExt};

use super::Outcome;
use super::scene::{Scene, same_entry};

pub(super) async fn a_version_is_the_one_that_the_put_drew(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    at.write(&put).await?;
    let Some(held) = at.store.get(put.key()).await? else {
        return Err(super::Violation::new(
            "get after put: expected an entry, got a miss",
        ));
    };
    ensure_eq!(held.version, put.version(), "the version of the value");
    Ok(())
}

pub(super) async fn every_write_changes_the_version(at: Scene<'_>) -> Outcome {
    let mut seen = HashSet::new();
    for number in 1..=8 {
        // The same value each time: a version belongs to the write, not to the value.
        at.write(&at.put("seat", "ada")).await?;
        let held = at.store.get(&at.key("seat")).await?;
        let new = held.is_some_and(|held| seen.insert(held.version));
        ensure!(
            new,
            "write {number} of one value: expected a version not seen before"
        );
    }
    Ok(())
}

pub(super) async fn a_version_does_not_come_back_after_a_delete(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "ada");
    at.write(&first).await?;
    let _ = at.store.delete(&Delete::new(first.key().clone())).await?;
    at.write(&at.put("seat", "ada")).await?;
    let stale = at.put("seat", "eve").if_version(first.version());
    at.is_not_stored(
        &stale,
        "put_if_version of the version before delete and re-create",
    )
    .await?;
    Ok(())
}

pub(super) async fn a_version_does_not_come_back_after_expiry(at: Scene<'_>) -> Outcome {
    let first = at.expired("seat").await?;
    at.write(&at.put("seat", "short-lived")).await?;
    let stale = at.put("seat", "eve").if_version(first.version());
    at.is_not_stored(
        &stale,
        "put_if_version of the version before the end and a re-create",
    )
    .await?;
    Ok(())
}

pub(super) async fn a_put_whose_answer_was_lost_can_be_settled(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    ensure_eq!(
        at.store.settle(&put).await?,
        SettleOutcome::NotFound,
        "settle before the put"
    );
    at.write(&put).await?;
    ensure_eq!(
        at.store.settle(&put).await?,
        SettleOutcome::Stored,
        "settle after the put"
    );
    let over = at.put("seat", "bob");
    at.write(&over).await?;
    ensure_eq!(
        at.store.settle(&put).await?,
        SettleOutcome::NotFound,
        "settle after an overwrite"
    );
    ensure_eq!(
        at.store.settle(&over).await?,
        SettleOutcome::Stored,
        "settle of the overwrite"
    );
    Ok(())
}

pub(super) async fn versions_are_alike_however_they_are_read(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    at.write(&put).await?;
    for entry in at.store.get_many(&[put.key().clone()]).await {
        same_entry(entry?, &put, "get_many after put")?;
    }
    let many = at.put("row", "f");
    for met in at.store.put_many(std::slice::from_ref(&many)).await {
        ensure_eq!(met?, PutOutcome::Stored, "put_many of one");
    }
    at.holds(&many, "get after put_many").await
}
