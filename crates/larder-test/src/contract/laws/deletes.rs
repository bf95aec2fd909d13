use larder_store::{Condition, Delete, ExpireOutcome, Version};

use super::Outcome;
use super::scene::{LONG, Scene};

pub(super) async fn delete_reports_whether_it_deleted_a_value(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    let delete = Delete::new(put.key().clone());
    at.is_not_deleted(&delete, "delete of an absent key")
        .await?;
    at.write(&put).await?;
    at.is_deleted(&delete, "delete of a present key").await?;
    at.is_not_deleted(&delete, "delete of a deleted key")
        .await?;
    Ok(())
}

pub(super) async fn a_deleted_key_is_gone(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    let key = put.key();
    at.write(&put).await?;
    let _ = at.store.delete(&Delete::new(key.clone())).await?;
    at.is_absent(key, "get after delete").await?;
    ensure_eq!(at.store.ttl(key).await?, None, "ttl after delete");
    ensure_eq!(
        at.store.expire(key, LONG).await?,
        ExpireOutcome::NotFound,
        "expire after delete"
    );
    at.is_absent(key, "get after expire after delete").await
}

pub(super) async fn a_deleted_key_can_be_put_if_absent(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "ada");
    at.write(&first).await?;
    let _ = at.store.delete(&Delete::new(first.key().clone())).await?;
    let present = at.put("seat", "bob").if_present();
    at.is_not_stored(&present, "put_if_present after delete")
        .await?;
    let absent = at.put("seat", "eve").if_absent();
    at.is_stored(&absent, "put_if_absent after delete").await?;
    at.holds(&absent, "the value that it wrote").await
}

pub(super) async fn delete_if_present_is_delete(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    let delete = Delete::new(put.key().clone()).on(Condition::IfPresent);
    at.is_not_deleted(&delete, "delete_if_present of an absent key")
        .await?;
    at.write(&put).await?;
    at.is_deleted(&delete, "delete_if_present of a present key")
        .await?;
    at.is_absent(put.key(), "after it").await
}

pub(super) async fn delete_if_absent_does_nothing(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    let delete = Delete::new(put.key().clone()).on(Condition::IfAbsent);
    at.is_not_deleted(&delete, "delete_if_absent of an absent key")
        .await?;
    at.write(&put).await?;
    at.is_not_deleted(&delete, "delete_if_absent of a present key")
        .await?;
    at.holds(&put, "after it").await
}

pub(super) async fn delete_if_version_removes_only_that_version(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "ada");
    let second = at.put("seat", "bob");
    at.write(&first).await?;
    at.write(&second).await?;
    let delete = Delete::new(first.key().clone());
    let stale = delete.clone().if_version(first.version());
    at.is_not_deleted(&stale, "delete_if_version of an older version")
        .await?;
    at.holds(&second, "after it").await?;
    let exact = delete.if_version(second.version());
    at.is_deleted(&exact, "delete_if_version of the version held")
        .await?;
    at.is_absent(first.key(), "after it").await?;
    at.is_not_deleted(&exact, "delete_if_version of an absent key")
        .await?;
    Ok(())
}

pub(super) async fn an_unmet_delete_changes_nothing(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    at.write(&put).await?;
    let delete = Delete::new(put.key().clone()).if_version(Version::random());
    let _ = at.store.delete(&delete).await?;
    at.holds(&put, "after an unmet delete").await?;
    at.has_left(put.key(), LONG, "ttl after an unmet delete")
        .await
}
