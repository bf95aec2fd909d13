use std::time::Duration;

use bytes::Bytes;
use larder_store::program::{MAX_INT, Record};
use larder_store::{ErrorKind, Key};

use super::Outcome;
use super::scene::{LONG, SHORT, Scene, is_error};
use crate::contract::records::{Add, Append, Journal, ReadJournal, ReadTally, Tally, TellTime};

pub(super) async fn integers_within_2_53_survive(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    let edges = [
        MAX_INT,
        MAX_INT - 1,
        -MAX_INT,
        1 - MAX_INT,
        i64::from(i32::MAX) + 1,
        0,
        -1,
    ];
    for (number, by) in edges.into_iter().enumerate() {
        let key = Key::new(Tally::KIND, number as u64);
        let add = Add {
            by,
            limit: by.max(0),
            ttl: LONG,
        };
        ensure_eq!(
            programs.run(&key, &add).await?,
            Some(by),
            "adding {by} to nothing"
        );
        ensure_eq!(
            programs.run(&key, &ReadTally).await?,
            Some(by),
            "reading it back"
        );
    }
    Ok(())
}

pub(super) async fn an_integer_past_2_53_is_invalid(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    for by in [MAX_INT + 1, -MAX_INT - 1] {
        let answer = programs
            .run(
                &key,
                &Add {
                    by,
                    limit: 0,
                    ttl: LONG,
                },
            )
            .await;
        is_error(answer, ErrorKind::Invalid, "an argument past 2^53")?;
    }
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        None,
        "the record after it"
    );
    Ok(())
}

pub(super) async fn arguments_of_any_bytes_survive(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Journal::KIND, "j"));
    let lines: [&[u8]; 6] = [
        b"",
        b"\0",
        b"a\r\n$3\r\nb",
        b"\xff\xfe\xc3",
        b" ",
        b"{\"'\\",
    ];
    for line in lines {
        let line = Bytes::from_static(line);
        programs.run(&key, &Append { line, ttl: LONG }).await?;
    }
    let held = programs.run(&key, &ReadJournal).await?;
    let expected: Vec<Bytes> = lines.into_iter().map(Bytes::from_static).collect();
    ensure_eq!(held.lines, expected, "the lines of a journal");
    Ok(())
}

pub(super) async fn the_time_of_programs_never_goes_back(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    let mut last = programs
        .run(&Key::new(Tally::KIND, 0_u32), &TellTime)
        .await?;
    for number in 1..=20_u32 {
        let now = programs
            .run(&Key::new(Tally::KIND, number), &TellTime)
            .await?;
        ensure!(
            now >= last,
            "the time of a program: expected {last:?} or later, got {now:?}"
        );
        last = now;
    }
    Ok(())
}

pub(super) async fn the_time_of_programs_passes(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    let before = programs.run(&key, &TellTime).await?;
    at.advance(SHORT.into()).await;
    let passed = programs.run(&key, &TellTime).await?.since(before);
    // If the store has its own clock, the two may differ a little.
    let least = Duration::from(SHORT).saturating_sub(at.slack());
    ensure!(
        passed >= least,
        "the time of a program: expected {least:?} to pass, got {passed:?}"
    );
    if at.is_exact() {
        ensure_eq!(
            passed,
            Duration::from(SHORT),
            "the time that passed for a program"
        );
    }
    Ok(())
}

pub(super) async fn the_known_time_is_the_time_of_programs(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, 0_u32));
    for _ in 0..2 {
        let before = programs.run(&key, &TellTime).await?;
        if let Some(now) = programs.now() {
            let after = programs.run(&key, &TellTime).await?;
            ensure!(
                before <= now && now <= after,
                "the time that is known: expected {before:?} to {after:?}, got {now:?}"
            );
            at.advance(SHORT.into()).await;
        }
    }
    Ok(())
}
