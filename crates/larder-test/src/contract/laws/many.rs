use larder_store::{Condition, Delete, DeleteOutcome, Put, PutOutcome, Ttl, Version};

use super::Outcome;
use super::scene::{SHORT, Scene, same_entry};

pub(super) async fn get_many_answers_in_order_with_misses(at: Scene<'_>) -> Outcome {
    let (a, b, c) = (at.put("a", "1"), at.put("b", "2"), at.put("c", "3"));
    for put in [&a, &b, &c] {
        at.write(put).await?;
    }
    let keys = [
        c.key().clone(),
        at.key("x"),
        a.key().clone(),
        at.key("y"),
        b.key().clone(),
    ];
    let answers = at.store.get_many(&keys).await;
    ensure_eq!(
        answers.len(),
        keys.len(),
        "the number of answers of get_many"
    );
    let expected = [Some(&c), None, Some(&a), None, Some(&b)];
    for (number, (answer, expected)) in answers.into_iter().zip(expected).enumerate() {
        match (answer?, expected) {
            (held, Some(put)) => same_entry(held, put, &format!("answer {number} of get_many"))?,
            (held, None) => ensure_eq!(held, None, "answer {number} of get_many"),
        }
    }
    Ok(())
}

pub(super) async fn get_many_answers_a_repeated_key_each_time(at: Scene<'_>) -> Outcome {
    let put = at.put("a", "1");
    at.write(&put).await?;
    let keys = [
        put.key().clone(),
        at.key("x"),
        put.key().clone(),
        at.key("x"),
    ];
    let answers = at.store.get_many(&keys).await;
    ensure_eq!(
        answers.len(),
        keys.len(),
        "the number of answers of get_many"
    );
    for (number, answer) in answers.into_iter().enumerate() {
        match number % 2 {
            0 => same_entry(answer?, &put, &format!("answer {number} of get_many"))?,
            _ => ensure_eq!(answer?, None, "answer {number} of get_many"),
        }
    }
    Ok(())
}

pub(super) async fn put_many_tests_each_condition_by_itself(at: Scene<'_>) -> Outcome {
    let held = at.put("held", "old");
    at.write(&held).await?;
    let puts = [
        at.put("held", "no").if_absent(),
        at.put("new", "yes").if_absent(),
        at.put("nobody", "no").if_present(),
        at.put("held", "no").if_version(Version::random()),
        at.put("held", "yes").if_version(held.version()),
    ];
    let expected = [false, true, false, false, true].map(PutOutcome::from);
    let answers = at.store.put_many(&puts).await;
    ensure_eq!(
        answers.len(),
        puts.len(),
        "the number of answers of put_many"
    );
    for (number, (answer, expected)) in answers.into_iter().zip(expected).enumerate() {
        ensure_eq!(answer?, expected, "answer {number} of put_many");
    }
    at.holds(&puts[1], "a put whose condition was met").await?;
    at.is_absent(puts[2].key(), "a put whose condition was not met")
        .await?;
    at.holds(&puts[4], "a put over the version held").await
}

pub(super) async fn put_many_writes_a_repeated_key_in_order(at: Scene<'_>) -> Outcome {
    let first = at.put("seat", "first").if_absent();
    let puts = [
        first.clone(),
        at.put("seat", "second").if_absent(),
        at.put("seat", "third").if_version(first.version()),
        at.put("seat", "last"),
    ];
    let answers = at.store.put_many(&puts).await;
    ensure_eq!(
        answers.len(),
        puts.len(),
        "the number of answers of put_many"
    );
    for (number, (answer, expected)) in answers
        .into_iter()
        .zip([true, false, true, true].map(PutOutcome::from))
        .enumerate()
    {
        ensure_eq!(answer?, expected, "answer {number} of put_many of one key");
    }
    at.holds(&puts[3], "the last put of a repeated key").await
}

pub(super) async fn put_many_gives_each_value_its_ttl(at: Scene<'_>) -> Outcome {
    const HOUR: Ttl = Ttl::from_secs(3600);
    let short = Put::new(at.key("short"), "1", SHORT);
    let long = at.put("long", "2");
    let longer = Put::new(at.key("longer"), "3", HOUR);
    for met in at
        .store
        .put_many(&[short.clone(), long.clone(), longer.clone()])
        .await
    {
        ensure_eq!(met?, PutOutcome::Stored, "put_many without conditions");
    }
    let left = at.ttl(long.key()).await?;
    ensure!(
        left <= long.ttl(),
        "ttl of the second: expected 60 s or less, got {left:?}"
    );
    let left = at.ttl(longer.key()).await?;
    ensure!(
        left > long.ttl(),
        "ttl of the third: expected about an hour, got {left:?}"
    );
    at.outlive(SHORT).await;
    at.is_absent(short.key(), "the first, after its ttl")
        .await?;
    at.holds(&long, "the second, after the first's ttl").await
}

pub(super) async fn delete_many_tests_each_condition_by_itself(at: Scene<'_>) -> Outcome {
    let (a, b, c) = (at.put("a", "1"), at.put("b", "2"), at.put("c", "3"));
    for put in [&a, &b, &c] {
        at.write(put).await?;
    }
    let deletes = [
        Delete::new(at.key("nobody")),
        Delete::new(a.key().clone()),
        Delete::new(b.key().clone()).if_version(a.version()),
        Delete::new(c.key().clone()).if_version(c.version()),
        Delete::new(b.key().clone()).on(Condition::IfAbsent),
    ];
    let answers = at.store.delete_many(&deletes).await;
    ensure_eq!(
        answers.len(),
        deletes.len(),
        "the number of answers of delete_many"
    );
    let expected = [false, true, false, true, false].map(DeleteOutcome::from);
    for (number, (answer, expected)) in answers.into_iter().zip(expected).enumerate() {
        ensure_eq!(answer?, expected, "answer {number} of delete_many");
    }
    at.is_absent(a.key(), "the deleted key").await?;
    at.holds(&b, "the key that was not deleted").await
}

pub(super) async fn delete_many_removes_a_repeated_key_once(at: Scene<'_>) -> Outcome {
    let put = at.put("seat", "ada");
    at.write(&put).await?;
    let delete = Delete::new(put.key().clone());
    let deletes = [
        delete.clone().if_version(put.version()),
        delete.clone(),
        delete.if_version(put.version()),
    ];
    let answers = at.store.delete_many(&deletes).await;
    ensure_eq!(
        answers.len(),
        deletes.len(),
        "the number of answers of delete_many"
    );
    for (number, (answer, expected)) in answers
        .into_iter()
        .zip([true, false, false].map(DeleteOutcome::from))
        .enumerate()
    {
        ensure_eq!(
            answer?,
            expected,
            "answer {number} of delete_many of one key"
        );
    }
    Ok(())
}
