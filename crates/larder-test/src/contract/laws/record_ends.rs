use std::time::{Duration, Instant};

use bytes::Bytes;
use larder_store::program::Record;
use larder_store::{Key, Ttl};

use super::Outcome;
use super::scene::{LONG, SHORT, Scene};
use crate::contract::records::{Add, Append, Journal, Lines, ReadJournal, ReadTally, Tally};

pub(super) async fn a_record_ends_with_its_ttl(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    let began = Instant::now();
    programs.run(&key, &add(SHORT)).await?;
    if at.is_exact() {
        at.advance(Duration::from(SHORT) - Duration::from_micros(1))
            .await;
        let read = programs.run(&key, &ReadTally).await?;
        ensure_eq!(read, Some(1), "the record 1 us before its end");
        at.outlive(SHORT).await;
    } else {
        let (programs, key) = (&programs, &key);
        let is_there = move || async move { Ok(programs.run(key, &ReadTally).await?.is_some()) };
        at.lasts(SHORT, began, is_there, "a record").await?;
    }
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        None,
        "the record after its end"
    );
    ensure_eq!(
        programs.run(&key, &add(LONG)).await?,
        Some(1),
        "the first step after it"
    );
    Ok(())
}

pub(super) async fn a_step_lengthens_the_ttl_of_its_record(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &add(SHORT)).await?;
    programs.run(&key, &add(LONG)).await?;
    at.outlive(SHORT).await;
    let read = programs.run(&key, &ReadTally).await?;
    ensure!(
        read.is_some(),
        "after the first ttl, of two: expected the record, got nothing"
    );
    Ok(())
}

pub(super) async fn a_step_shortens_the_ttl_of_its_record(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &add(LONG)).await?;
    programs.run(&key, &add(SHORT)).await?;
    at.outlive(SHORT).await;
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        None,
        "after the second ttl, of two"
    );
    Ok(())
}

pub(super) async fn reading_a_record_does_not_extend_it(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &add(SHORT)).await?;
    for _ in 0..3 {
        programs.run(&key, &ReadTally).await?;
        at.advance(Duration::from(SHORT) / 3).await;
    }
    at.advance(at.slack()).await;
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        None,
        "a record that was read until its end"
    );
    Ok(())
}

pub(super) async fn a_step_that_writes_nothing_does_not_extend_the_record(
    at: Scene<'_>,
) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &add(SHORT)).await?;
    let refused = Add {
        by: 1,
        limit: 0,
        ttl: LONG,
    };
    ensure_eq!(
        programs.run(&key, &refused).await?,
        None,
        "a step past its limit"
    );
    at.outlive(SHORT).await;
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        None,
        "the record after its own ttl"
    );
    Ok(())
}

pub(super) async fn the_parts_of_a_record_end_together(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Journal::KIND, "j"));
    programs.run(&key, &append("one", LONG)).await?;
    programs.run(&key, &append("two", SHORT)).await?;
    at.outlive(SHORT).await;
    let held = programs.run(&key, &ReadJournal).await?;
    ensure_eq!(held, Lines::default(), "both parts after their end");
    ensure_eq!(
        programs.run(&key, &append("three", LONG)).await?,
        5,
        "bytes after it"
    );
    Ok(())
}

pub(super) async fn the_parts_of_a_record_live_together(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Journal::KIND, "j"));
    programs.run(&key, &append("one", SHORT)).await?;
    programs.run(&key, &append("two", LONG)).await?;
    at.outlive(SHORT).await;
    let held = programs.run(&key, &ReadJournal).await?;
    let bytes = held.lines.iter().map(Bytes::len).sum::<usize>();
    ensure!(!held.lines.is_empty(), "the lines: expected some, got none");
    ensure_eq!(
        held.bytes,
        Some(bytes as i64),
        "the length beside the lines"
    );
    Ok(())
}

fn add(ttl: Ttl) -> Add {
    Add {
        by: 1,
        limit: 1000,
        ttl,
    }
}

fn append(line: &'static str, ttl: Ttl) -> Append {
    Append {
        line: Bytes::from_static(line.as_bytes()),
        ttl,
    }
}
