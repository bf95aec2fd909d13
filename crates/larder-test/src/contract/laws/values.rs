use std::time::Duration;

use bytes::Bytes;
use larder_store::Put;

use super::Outcome;
use super::scene::{LONG, SHORT, Scene};

pub(super) async fn a_key_that_was_never_written_is_a_miss(at: Scene<'_>) -> Outcome {
    let key = at.key("nobody");
    at.is_absent(&key, "get of a key that was never written")
        .await?;
    ensure_eq!(at.store.ttl(&key).await?, None, "its ttl");
    Ok(())
}

pub(super) async fn a_value_reads_back_as_it_was_put(at: Scene<'_>) -> Outcome {
    let put = at.put("greeting", "hello");
    at.is_stored(&put, "the answer of a put").await?;
    let held = at.store.get(put.key()).await?.map(|held| held.value);
    ensure_eq!(held, Some(put.value().clone()), "get after put");
    Ok(())
}

pub(super) async fn a_put_is_seen_by_the_next_get(at: Scene<'_>) -> Outcome {
    at.write(&at.put("mood", "before")).await?;
    let before = at.store.get(&at.key("mood")).await?;
    ensure!(
        before.is_some(),
        "get after put: expected an entry, got a miss"
    );
    let after = at.put("mood", "after!");
    at.write(&after).await?;
    at.holds(&after, "get after the second put").await
}

pub(super) async fn an_overwrite_replaces_the_whole_value(at: Scene<'_>) -> Outcome {
    at.write(&at.put("note", "a long first value")).await?;
    let short = at.put("note", "short");
    at.write(&short).await?;
    at.holds(&short, "a shorter value over a longer one").await
}

pub(super) async fn an_empty_value_is_present(at: Scene<'_>) -> Outcome {
    let put = at.put("empty", "");
    at.write(&put).await?;
    at.holds(&put, "an empty value").await
}

pub(super) async fn every_byte_survives(at: Scene<'_>) -> Outcome {
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    let put = at.put("bytes", all);
    at.write(&put).await?;
    at.holds(&put, "a value of all bytes").await
}

pub(super) async fn a_value_of_eight_mib_survives(at: Scene<'_>) -> Outcome {
    let put = at.put("large", Bytes::from(b"larder, ".repeat(1024 * 1024)));
    at.write(&put).await?;
    at.holds(&put, "a value of 8 MiB").await
}

pub(super) async fn reading_a_value_changes_nothing(at: Scene<'_>) -> Outcome {
    let put = at.put("still", "here");
    at.write(&put).await?;
    let left = at.ttl(put.key()).await?;
    for _ in 0..3 {
        at.holds(&put, "a repeated get").await?;
        at.has_left(put.key(), LONG, "its ttl").await?;
        let now = at.ttl(put.key()).await?;
        ensure!(
            now <= left,
            "its ttl: expected {left:?} or less, got {now:?}"
        );
    }
    Ok(())
}

pub(super) async fn reading_a_value_does_not_extend_it(at: Scene<'_>) -> Outcome {
    let put = Put::new(at.key("fleeting"), "soon gone", SHORT);
    at.write(&put).await?;
    let step = Duration::from(SHORT) / 3;
    for _ in 0..3 {
        // Another law checks whether it is present, which on a server depends on the timing.
        let _ = at.store.get(put.key()).await?;
        at.advance(step).await;
    }
    at.advance(at.slack()).await;
    at.is_absent(put.key(), "a value that was read until its end")
        .await
}
