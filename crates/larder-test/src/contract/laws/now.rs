use std::task::Poll;

use larder_store::program::Record;
use larder_store::{Delete, DeleteOutcome, ErrorKind, Key, Put, PutOutcome, Refusal};

use super::Outcome;
use super::scene::{LONG, SHORT, Scene, is_error, same_entry};
use crate::contract::records::Tally;

const WRONG_TYPE: ErrorKind = ErrorKind::Refused(Refusal::WrongType);

pub(super) async fn get_now_answers_like_get(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    if let Poll::Ready(held) = at.store.get_now(put.key()) {
        ensure_eq!(held?, None, "get_now of an absent key");
    }
    at.write(&put).await?;
    if let Poll::Ready(held) = at.store.get_now(put.key()) {
        same_entry(held?, &put, "get_now of a present key")?;
    }
    if let Poll::Ready(held) = at.store.get_now(&Key::new(Tally::KIND, "t")) {
        is_error(held, WRONG_TYPE, "get_now of a record's key")?;
    }
    let ended = at.expired("row").await?;
    if let Poll::Ready(held) = at.store.get_now(ended.key()) {
        ensure_eq!(held?, None, "get_now of an expired key");
    }
    Ok(())
}

pub(super) async fn put_now_works_like_put(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "ada").if_absent();
    match at.store.put_now(&first) {
        Poll::Ready(met) => ensure_eq!(met?, PutOutcome::Stored, "put_now of an absent key"),
        Poll::Pending => {
            at.is_absent(first.key(), "after put_now was pending")
                .await?
        }
    }
    let _ = at.store.put(&first).await?;
    at.holds(&first, "after put_now and put").await?;
    let second = at.put("seat", "bob").if_absent();
    if let Poll::Ready(met) = at.store.put_now(&second) {
        ensure_eq!(
            met?,
            PutOutcome::NotStored,
            "put_now if absent of a present key"
        );
    }
    at.holds(&first, "after put_now if absent").await?;
    if let Poll::Ready(met) = at
        .store
        .put_now(&Put::new(Key::new(Tally::KIND, "t"), "1", LONG))
    {
        is_error(met, WRONG_TYPE, "put_now on a record's key")?;
    }
    let short = Put::new(at.key("row"), "f", SHORT);
    if let Poll::Ready(met) = at.store.put_now(&short) {
        ensure_eq!(met?, PutOutcome::Stored, "put_now with a short ttl");
        at.outlive(SHORT).await;
        at.is_absent(short.key(), "after the ttl of a put_now")
            .await?;
    }
    Ok(())
}

pub(super) async fn delete_now_works_like_delete(at: Scene<'_>) -> Outcome {
    let (first, second) = (at.put("seat", "ada"), at.put("seat", "bob"));
    at.write(&first).await?;
    at.write(&second).await?;
    let delete = Delete::new(first.key().clone());
    if let Poll::Ready(met) = at
        .store
        .delete_now(&delete.clone().if_version(first.version()))
    {
        ensure_eq!(
            met?,
            DeleteOutcome::NotDeleted,
            "delete_now of an older version"
        );
    }
    at.holds(&second, "after it").await?;
    match at.store.delete_now(&delete) {
        Poll::Ready(met) => {
            ensure_eq!(met?, DeleteOutcome::Deleted, "delete_now of a present key");
            at.is_absent(delete.key(), "after it").await
        }
        Poll::Pending => at.holds(&second, "after delete_now was pending").await,
    }
}
