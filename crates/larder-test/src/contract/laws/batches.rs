use bytes::Bytes;
use larder_store::program::Record;
use larder_store::{
    DEFAULT_MAX_VALUE, Delete, DeleteOutcome, ErrorKind, Key, Put, PutOutcome, Refusal,
};

use super::Outcome;
use super::scene::{LONG, Scene, is_error, same_entry};
use crate::contract::records::Tally;

const WRONG_TYPE: ErrorKind = ErrorKind::Refused(Refusal::WrongType);

pub(super) async fn an_empty_batch_is_an_empty_answer(at: Scene<'_>) -> Outcome {
    ensure_eq!(
        at.store.get_many(&[]).await.len(),
        0,
        "answers of get_many of nothing"
    );
    ensure_eq!(
        at.store.put_many(&[]).await.len(),
        0,
        "answers of put_many of nothing"
    );
    ensure_eq!(
        at.store.delete_many(&[]).await.len(),
        0,
        "answers of delete_many of nothing"
    );
    Ok(())
}

pub(super) async fn a_batch_of_a_thousand_is_answered_whole(at: Scene<'_>) -> Outcome {
    let puts: Vec<Put> = (0..1000_u32).map(|id| at.put(id, id.to_string())).collect();
    let keys: Vec<Key> = puts.iter().map(|put| put.key().clone()).collect();
    let deletes: Vec<Delete> = keys.iter().cloned().map(Delete::new).collect();
    let met = at.store.put_many(&puts).await;
    ensure_eq!(met.len(), puts.len(), "answers of put_many");
    for met in met {
        ensure_eq!(met?, PutOutcome::Stored, "put_many of a thousand");
    }
    let held = at.store.get_many(&keys).await;
    ensure_eq!(held.len(), puts.len(), "answers of get_many");
    for (held, put) in held.into_iter().zip(&puts) {
        same_entry(held?, put, "get_many of a thousand")?;
    }
    let removed = at.store.delete_many(&deletes).await;
    ensure_eq!(removed.len(), puts.len(), "answers of delete_many");
    for removed in removed {
        ensure_eq!(
            removed?,
            DeleteOutcome::Deleted,
            "delete_many of a thousand"
        );
    }
    Ok(())
}

pub(super) async fn a_batch_of_large_values_survives(at: Scene<'_>) -> Outcome {
    let puts: Vec<Put> = (0..64_u8)
        .map(|id| at.put(id, Bytes::from(vec![id; 64 * 1024])))
        .collect();
    for met in at.store.put_many(&puts).await {
        ensure_eq!(met?, PutOutcome::Stored, "put_many of 64 values of 64 KiB");
    }
    let keys: Vec<Key> = puts.iter().map(|put| put.key().clone()).collect();
    let held = at.store.get_many(&keys).await;
    ensure_eq!(held.len(), puts.len(), "answers of get_many");
    for (held, put) in held.into_iter().zip(&puts) {
        same_entry(held?, put, "get_many of 64 values of 64 KiB")?;
    }
    Ok(())
}

pub(super) async fn get_many_fails_item_by_item(at: Scene<'_>) -> Outcome {
    let (a, b) = (at.put("a", "1"), at.put("b", "2"));
    at.write(&a).await?;
    at.write(&b).await?;
    let keys = [a.key().clone(), Key::new(Tally::KIND, "t"), b.key().clone()];
    let mut answers = at.store.get_many(&keys).await.into_iter();
    ensure_eq!(
        answers.len(),
        keys.len(),
        "the number of answers of get_many"
    );
    for (number, put) in [Some(&a), None, Some(&b)].into_iter().enumerate() {
        let Some(answer) = answers.next() else { break };
        let what = format!("answer {number} of get_many");
        match put {
            Some(put) => same_entry(answer?, put, &what)?,
            None => is_error(answer, WRONG_TYPE, &what)?,
        }
    }
    Ok(())
}

pub(super) async fn put_many_fails_item_by_item(at: Scene<'_>) -> Outcome {
    let puts = [
        at.put("a", "1"),
        at.put("large", Bytes::from(vec![0; DEFAULT_MAX_VALUE + 1])),
        at.put("b", "2").if_present(),
        Put::new(Key::new(Tally::KIND, "t"), "3", LONG),
        at.put("c", "4"),
    ];
    let answers = at.store.put_many(&puts).await;
    ensure_eq!(
        answers.len(),
        puts.len(),
        "the number of answers of put_many"
    );
    for (number, answer) in answers.into_iter().enumerate() {
        let what = format!("answer {number} of put_many");
        match number {
            1 => is_error(answer, ErrorKind::TooLarge, &what)?,
            2 => ensure_eq!(answer?, PutOutcome::NotStored, "{what}"),
            3 => is_error(answer, WRONG_TYPE, &what)?,
            _ => ensure_eq!(answer?, PutOutcome::Stored, "{what}"),
        }
    }
    at.holds(&puts[0], "the first of put_many").await?;
    at.is_absent(puts[1].key(), "the value that was too large")
        .await?;
    at.holds(&puts[4], "the last of put_many").await
}

pub(super) async fn delete_many_fails_item_by_item(at: Scene<'_>) -> Outcome {
    let (a, b) = (at.put("a", "1"), at.put("b", "2"));
    at.write(&a).await?;
    at.write(&b).await?;
    let deletes = [
        Delete::new(a.key().clone()),
        Delete::new(Key::new(Tally::KIND, "t")),
        Delete::new(b.key().clone()),
    ];
    let answers = at.store.delete_many(&deletes).await;
    ensure_eq!(
        answers.len(),
        deletes.len(),
        "the number of answers of delete_many"
    );
    for (number, answer) in answers.into_iter().enumerate() {
        let what = format!("answer {number} of delete_many");
        match number {
            1 => is_error(answer, WRONG_TYPE, &what)?,
            _ => ensure_eq!(answer?, DeleteOutcome::Deleted, "{what}"),
        }
    }
    at.is_absent(a.key(), "the first of delete_many").await?;
    at.is_absent(b.key(), "the last of delete_many").await
}
