use std::time::{Duration, Instant};

use bytes::Bytes;
use larder_store::{Delete, DeleteOutcome, ExpireOutcome, Put, PutOutcome, Ttl};

use super::Outcome;
use super::scene::{LONG, SHORT, Scene};

const EPSILON: Duration = Duration::from_micros(1);

pub(super) async fn a_value_ends_at_its_deadline(at: Scene<'_>) -> Outcome {
    let put = Put::new(at.key("seat"), "ada", SHORT);
    let began = Instant::now();
    at.write(&put).await?;
    if at.is_exact() {
        at.advance(Duration::from(SHORT) - EPSILON).await;
        at.holds(&put, "1 us before the deadline").await?;
        at.advance(EPSILON).await;
    } else {
        let (at, put) = (&at, &put);
        let is_there = move || async move { Ok(at.store.get(put.key()).await?.is_some()) };
        at.lasts(SHORT, began, is_there, "a value").await?;
    }
    at.is_absent(put.key(), "at the deadline").await
}

pub(super) async fn one_millisecond_is_a_ttl(at: Scene<'_>) -> Outcome {
    const SHORTEST: Ttl = Ttl::from_millis(1);
    let put = Put::new(at.key("seat"), "ada", SHORTEST);
    at.write(&put).await?;
    if at.is_exact() {
        at.advance(Duration::from_micros(999)).await;
        at.holds(&put, "999 us after a put for 1 ms").await?;
    }
    at.outlive(SHORTEST).await;
    at.is_absent(put.key(), "1 ms after a put for 1 ms").await
}

pub(super) async fn an_expired_value_is_not_read(at: Scene<'_>) -> Outcome {
    let put = at.expired("seat").await?;
    at.is_absent(put.key(), "get after the end").await
}

pub(super) async fn an_expired_value_is_not_read_with_others(at: Scene<'_>) -> Outcome {
    let put = at.expired("seat").await?;
    for entry in at.store.get_many(&[put.key().clone()]).await {
        ensure_eq!(entry?, None, "get_many after the end");
    }
    Ok(())
}

pub(super) async fn an_expired_value_has_no_ttl(at: Scene<'_>) -> Outcome {
    let put = at.expired("seat").await?;
    ensure_eq!(at.store.ttl(put.key()).await?, None, "ttl after the end");
    Ok(())
}

pub(super) async fn expire_revives_no_expired_value(at: Scene<'_>) -> Outcome {
    let put = at.expired("seat").await?;
    ensure_eq!(
        at.store.expire(put.key(), LONG).await?,
        ExpireOutcome::NotFound,
        "expire after the end"
    );
    at.is_absent(put.key(), "get after expire after the end")
        .await
}

pub(super) async fn an_expired_key_is_not_present(at: Scene<'_>) -> Outcome {
    let put = at.expired("seat").await?;
    let over = at.put("seat", "bob").if_present();
    at.is_not_stored(&over, "put_if_present after the end")
        .await?;
    at.is_absent(put.key(), "after it").await
}

pub(super) async fn an_expired_version_is_not_met(at: Scene<'_>) -> Outcome {
    let put = at.expired("seat").await?;
    let over = at.put("seat", "bob").if_version(put.version());
    at.is_not_stored(&over, "put_if_version after the end")
        .await?;
    at.is_absent(put.key(), "after it").await
}

pub(super) async fn an_expired_key_is_absent(at: Scene<'_>) -> Outcome {
    at.expired("seat").await?;
    let new = at.put("seat", "bob").if_absent();
    at.is_stored(&new, "put_if_absent after the end").await?;
    at.holds(&new, "the value that it wrote").await
}

pub(super) async fn deleting_an_expired_key_removes_nothing(at: Scene<'_>) -> Outcome {
    let put = at.expired("seat").await?;
    let delete = Delete::new(put.key().clone());
    at.is_not_deleted(&delete, "delete after the end").await?;
    Ok(())
}

pub(super) async fn an_expired_value_is_not_found_with_others(at: Scene<'_>) -> Outcome {
    let (seat, row) = (at.expired("seat").await?, at.expired("row").await?);
    let over = [
        at.put("seat", "bob").if_present(),
        at.put("seat", "eve").if_version(seat.version()),
    ];
    for answer in at.store.put_many(&over).await {
        ensure_eq!(answer?, PutOutcome::NotStored, "put_many after the end");
    }
    at.is_absent(seat.key(), "after it").await?;
    let delete = Delete::new(row.key().clone());
    for answer in at.store.delete_many(&[delete]).await {
        ensure_eq!(
            answer?,
            DeleteOutcome::NotDeleted,
            "delete_many after the end"
        );
    }
    Ok(())
}

pub(super) async fn a_new_value_outlives_the_ttl_of_the_old(at: Scene<'_>) -> Outcome {
    at.write(&Put::new(at.key("seat"), "ada", SHORT)).await?;
    let new = at.put("seat", "bob");
    at.write(&new).await?;
    at.outlive(SHORT).await;
    at.holds(&new, "after the TTL of the old value").await
}

/// Puts more values than a store has room for. At most a ninth of them are live at the same time.
pub(super) async fn an_expired_value_frees_its_memory(at: Scene<'_>) -> Outcome {
    const ROUNDS: u64 = 9;
    const LARGE: u64 = 8;
    const SMALL: u64 = 24;
    let large = Bytes::from(vec![7; 1024 * 1024]);
    for round in 0..ROUNDS {
        for number in 0..LARGE + SMALL {
            let value = large.slice(..if number < LARGE { large.len() } else { 1 });
            let put = Put::new(at.key((round, number)), value, SHORT);
            at.write(&put).await?;
        }
        at.outlive(SHORT).await;
    }
    if let Some(held) = at.held_keys() {
        let (written, most) = (ROUNDS * (LARGE + SMALL), ROUNDS * (LARGE + SMALL) / 2);
        ensure!(
            held as u64 <= most,
            "after {written} keys, of which at most an eighth lived at once: expected at most {most} to be \
             held, got {held}"
        );
    }
    Ok(())
}
