use std::sync::Arc;

use bytes::Bytes;
use larder_store::Key;
use larder_store::program::{Programs, Record};

use super::Outcome;
use super::scene::{LONG, Scene, cancel_after, race};
use crate::contract::records::{Add, Append, Journal, ReadJournal, ReadTally, Tally};

const RACERS: usize = 64;

pub(super) async fn concurrent_steps_lose_nothing(at: Scene<'_>) -> Outcome {
    let add = Add {
        by: 1,
        limit: 1000,
        ttl: LONG,
    };
    let mut sums = adders(&at, add).await?;
    sums.sort_unstable();
    let expected: Vec<_> = (1..=RACERS as i64).map(Some).collect();
    ensure_eq!(sums, expected, "the sums of 64 steps at once");
    Ok(())
}

pub(super) async fn concurrent_steps_keep_their_limit(at: Scene<'_>) -> Outcome {
    let add = Add {
        by: 1,
        limit: 10,
        ttl: LONG,
    };
    let sums = adders(&at, add).await?;
    let granted = sums.into_iter().flatten().count();
    ensure_eq!(granted, 10, "steps within a limit of 10 among 64 at once");
    let read = at
        .programs()?
        .run(&Key::new(Tally::KIND, "t"), &ReadTally)
        .await?;
    ensure_eq!(read, Some(10), "the record after them");
    Ok(())
}

pub(super) async fn the_parts_of_a_record_change_together(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Journal::KIND, "j"));
    race(RACERS, |number| {
        let (programs, key): (Arc<dyn Programs>, _) = (programs.clone(), key.clone());
        let line = Bytes::from(vec![b'x'; number + 1]);
        async move {
            programs.run(&key, &Append { line, ttl: LONG }).await?;
            let held = programs.run(&key, &ReadJournal).await?;
            let bytes = held.lines.iter().map(Bytes::len).sum::<usize>();
            ensure_eq!(
                held.bytes,
                Some(bytes as i64),
                "the length beside the lines, in a race"
            );
            Ok(())
        }
    })
    .await?;
    let held = programs.run(&key, &ReadJournal).await?;
    ensure_eq!(held.lines.len(), RACERS, "the lines after 64 steps");
    Ok(())
}

pub(super) async fn a_cancelled_step_runs_once_or_not_at_all(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    for polls in 1..=6_usize {
        let key = Key::new(Journal::KIND, polls as u64);
        let line = Bytes::from_static(b"cancelled");
        let step = Append { line, ttl: LONG };
        let _ = cancel_after(polls, programs.run(&key, &step)).await;
        let held = programs.run(&key, &ReadJournal).await?;
        let whole = matches!((held.lines.len(), held.bytes), (0, None) | (1, Some(9)));
        ensure!(
            whole,
            "after a cancelled step: expected it once or not at all, got {held:?}"
        );
    }
    Ok(())
}

async fn adders(at: &Scene<'_>, add: Add) -> Outcome<Vec<Option<i64>>> {
    let programs = at.programs()?;
    race(RACERS, |_| {
        let programs = programs.clone();
        async move { Ok(programs.run(&Key::new(Tally::KIND, "t"), &add).await?) }
    })
    .await
}
