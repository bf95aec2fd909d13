use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::{
    Call, Calls, ErrorKind, Inspection, Key, MAX_INT, Programs, Record, Refusal, Result,
};

use super::Outcome;
use super::scene::{LONG, SHORT, Scene, is_error};
use crate::records::{
    Add, Append, ClearTally, Journal, Mark, ReadJournal, ReadTally, Tally, TellTime,
};

const WRONG_TYPE: ErrorKind = ErrorKind::Refused(Refusal::WrongType);
const ADD: Add = Add {
    by: 1,
    limit: 1000,
    ttl: LONG,
};

pub(super) async fn a_step_makes_the_record_and_the_next_one_finds_it(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    let add = Add {
        by: 2,
        limit: 5,
        ttl: LONG,
    };
    ensure_eq!(
        programs.run(&key, &add).await?,
        Some(2),
        "a step on an absent record"
    );
    ensure_eq!(programs.run(&key, &add).await?, Some(4), "the next step");
    ensure_eq!(
        programs.run(&key, &add).await?,
        None,
        "a step past the limit"
    );
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        Some(4),
        "what is read then"
    );
    Ok(())
}

pub(super) async fn a_step_that_waits_does_the_same(at: Scene<'_>) -> Outcome {
    let waiting = Waiting(at.programs()?);
    let (waiting, key) = (&waiting as &dyn Programs, Key::new(Tally::KIND, "t"));
    ensure_eq!(
        waiting.run(&key, &ADD).await?,
        Some(1),
        "call of a step on an absent record"
    );
    ensure_eq!(
        waiting.run(&key, &ADD).await?,
        Some(2),
        "call of the next step"
    );
    let read = at.programs()?.run(&key, &ReadTally).await?;
    ensure_eq!(read, Some(2), "what is read after them");
    Ok(())
}

pub(super) async fn a_removed_record_is_absent(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &ADD).await?;
    ensure_eq!(
        programs.run(&key, &ClearTally).await?,
        true,
        "removing a record"
    );
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        None,
        "reading it then"
    );
    ensure_eq!(
        programs.run(&key, &ADD).await?,
        Some(1),
        "the first step after it"
    );
    Ok(())
}

pub(super) async fn reading_an_absent_record_leaves_nothing(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        None,
        "reading an absent record"
    );
    ensure_eq!(
        programs.run(&key, &ClearTally).await?,
        false,
        "removing it then"
    );
    let shown = programs.inspect::<Tally>(&key).await?;
    ensure_eq!(shown, Inspection::new(), "inspecting it then");
    Ok(())
}

pub(super) async fn reading_a_record_leaves_it_as_it_is(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &ADD).await?;
    programs.run(&key, &ReadTally).await?;
    ensure_eq!(
        programs.run(&key, &ReadTally).await?,
        Some(1),
        "the second reading"
    );
    Ok(())
}

pub(super) async fn an_inspection_tells_and_changes_nothing(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &Add { by: 41, ..ADD }).await?;
    let expected = Inspection::new().with("count", 41);
    ensure_eq!(
        programs.inspect::<Tally>(&key).await?,
        expected,
        "an inspection"
    );
    ensure_eq!(
        programs.run(&key, &ADD).await?,
        Some(42),
        "the step after it"
    );
    Ok(())
}

pub(super) async fn a_record_of_another_type_is_refused(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    let (tally, impostor) = (Key::new(Tally::KIND, "t"), Key::new(Tally::KIND, "i"));
    programs.run(&tally, &ADD).await?;
    programs.run(&impostor, &Mark { ttl: LONG }).await?;
    let answer = programs.run(&tally, &Mark { ttl: LONG }).await;
    is_error(answer, WRONG_TYPE, "a program on a record of another type")?;
    let answer = programs.run(&impostor, &ADD).await;
    is_error(
        answer,
        WRONG_TYPE,
        "a program on a record of yet another type",
    )
}

pub(super) async fn a_step_that_was_refused_changes_nothing(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    programs.run(&key, &ADD).await?;
    let _ = programs.run(&key, &Mark { ttl: LONG }).await;
    ensure_eq!(
        programs.run(&key, &ADD).await?,
        Some(2),
        "the step after one that was refused"
    );
    Ok(())
}

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

pub(super) async fn the_time_of_programs_goes_on(at: Scene<'_>) -> Outcome {
    let (programs, key) = (at.programs()?, Key::new(Tally::KIND, "t"));
    let before = programs.run(&key, &TellTime).await?;
    at.advance(SHORT.into()).await;
    let passed = programs.run(&key, &TellTime).await?.since(before);
    // Two clocks, where the store has one of its own, may differ by a little.
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

/// Programs whose answer always has to be waited for.
struct Waiting(Arc<dyn Programs>);

#[async_trait]
impl Programs for Waiting {
    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        self.0.call(key, call).await
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        self.0.call_many(calls).await
    }
}
