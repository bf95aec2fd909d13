use larder_store::{Put, Ttl, Version};

use super::Outcome;
use super::scene::{LONG, Scene, same_entry};

pub(super) async fn put_if_absent_writes_only_where_nothing_is(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "ada").if_absent();
    at.is_stored(&first, "put_if_absent of an absent key")
        .await?;
    at.holds(&first, "the value that it wrote").await?;
    let second = at.put("seat", "bob").if_absent();
    at.is_not_stored(&second, "put_if_absent of a present key")
        .await?;
    at.holds(&first, "the value after it").await
}

pub(super) async fn put_if_present_writes_only_where_something_is(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "ada").if_present();
    at.is_not_stored(&first, "put_if_present of an absent key")
        .await?;
    at.is_absent(first.key(), "after it").await?;
    at.write(&at.put("seat", "bob")).await?;
    let second = at.put("seat", "eve").if_present();
    at.is_stored(&second, "put_if_present of a present key")
        .await?;
    at.holds(&second, "the value that it wrote").await
}

pub(super) async fn put_if_version_writes_only_over_that_version(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "ada");
    at.write(&first).await?;
    let second = at.put("seat", "bob").if_version(first.version());
    at.is_stored(&second, "put_if_version over that version")
        .await?;
    at.holds(&second, "the value that it wrote").await?;
    let third = at.put("seat", "eve").if_version(first.version());
    at.is_not_stored(&third, "put_if_version over a later version")
        .await?;
    at.holds(&second, "the value after it").await
}

pub(super) async fn an_absent_key_has_no_version(at: Scene<'_>) -> Outcome {
    let put = at.put("nobody", "boo").if_version(Version::random());
    at.is_not_stored(&put, "put_if_version of an absent key")
        .await?;
    at.is_absent(put.key(), "after it").await?;
    let zero = at
        .put("nobody", "boo")
        .if_version(Version::from_bytes([0; Version::LEN]));
    at.is_not_stored(&zero, "put_if_version of a version of zeros")
        .await?;
    at.is_absent(put.key(), "after it").await
}

pub(super) async fn a_version_of_another_key_is_not_met(at: Scene<'_>) -> Outcome {
    let mine = at.put("mine", "same value");
    let other = at.put("other", "same value");
    at.write(&mine).await?;
    at.write(&other).await?;
    let put = at.put("mine", "stolen").if_version(other.version());
    at.is_not_stored(&put, "put_if_version of another key's version")
        .await?;
    at.holds(&mine, "the value after it").await
}

pub(super) async fn an_unmet_put_leaves_the_value(at: Scene<'_>) -> Outcome {
    let held = at.put("seat", "ada");
    at.write(&held).await?;
    // Other laws check the answers.
    let _ = at.store.put(&at.put("seat", "bob").if_absent()).await?;
    same_entry(
        at.store.get(held.key()).await?,
        &held,
        "after put_if_absent",
    )?;
    let _ = at
        .store
        .put(&at.put("seat", "eve").if_version(Version::random()))
        .await?;
    same_entry(
        at.store.get(held.key()).await?,
        &held,
        "after put_if_version",
    )
}

pub(super) async fn an_unmet_put_leaves_the_ttl(at: Scene<'_>) -> Outcome {
    const LONGER: Ttl = Ttl::from_secs(6000);
    let held = at.put("seat", "ada");
    at.write(&held).await?;
    let put = Put::new(held.key().clone(), "bob", LONGER);
    let _ = at.store.put(&put.clone().if_absent()).await?;
    at.has_left(held.key(), LONG, "ttl after an unmet put_if_absent")
        .await?;
    let _ = at.store.put(&put.if_version(Version::random())).await?;
    at.has_left(held.key(), LONG, "ttl after an unmet put_if_version")
        .await
}

pub(super) async fn a_put_sent_twice_is_one_write(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    at.write(&put).await?;
    at.write(&put).await?;
    at.holds(&put, "after the same put twice").await?;
    let created = at.put("row", "f").if_absent();
    at.write(&created).await?;
    at.is_not_stored(&created, "the same put_if_absent again")
        .await?;
    at.holds(&created, "after it").await
}
