use bytes::Bytes;
use larder_store::program::{Record, Run};
use larder_store::{ErrorKind, Key, Refusal};

use super::Outcome;
use super::scene::{LONG, Scene, is_error};
use crate::contract::records::{Add, Append, Journal, Mark, ReadTally, Tally};

const WRONG_TYPE: ErrorKind = ErrorKind::Refused(Refusal::WrongType);

pub(super) async fn run_many_answers_each_step_in_its_place(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    let steps: Vec<(Key, Add)> = (1..=5).map(|by| (tally(by), add(by * by))).collect();
    let sums = programs.run_many(&steps).await;
    ensure_eq!(sums.len(), steps.len(), "the number of answers of run_many");
    for (sum, (key, step)) in sums.into_iter().zip(&steps) {
        ensure_eq!(sum?, Some(step.by), "the answer to a step of run_many");
        ensure_eq!(
            programs.run(key, &ReadTally).await?,
            Some(step.by),
            "the record after it"
        );
    }
    Ok(())
}

pub(super) async fn run_many_runs_a_repeated_record_in_order(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    let steps: Vec<(Key, Add)> = (1..=5).map(|by| (tally(0), add(by))).collect();
    let sums = programs.run_many(&steps).await;
    ensure_eq!(sums.len(), steps.len(), "the number of answers of run_many");
    for (sum, expected) in sums.into_iter().zip([1, 3, 6, 10, 15]) {
        ensure_eq!(sum?, Some(expected), "the sum so far");
    }
    Ok(())
}

pub(super) async fn run_many_fails_step_by_step(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    programs.run(&tally(2), &Mark { ttl: LONG }).await?;
    let value = at.key("no-record");
    let steps = [
        (tally(1), add(1)),
        (tally(2), add(2)),
        (value, add(3)),
        (tally(4), add(4)),
    ];
    let sums = programs.run_many(&steps).await;
    ensure_eq!(sums.len(), steps.len(), "the number of answers of run_many");
    for (number, sum) in sums.into_iter().enumerate() {
        match number {
            0 => ensure_eq!(sum?, Some(1), "the step before one that is refused"),
            3 => ensure_eq!(sum?, Some(4), "the step after one that is refused"),
            _ => is_error(sum, WRONG_TYPE, "a step on a record of another type")?,
        }
    }
    ensure_eq!(
        programs.run(&tally(4), &ReadTally).await?,
        Some(4),
        "the record after them"
    );
    Ok(())
}

pub(super) async fn run_many_of_five_hundred_is_answered_whole(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    let steps: Vec<(Key, Add)> = (1..=500).map(|by| (tally(by), add(by))).collect();
    let sums = programs.run_many(&steps).await;
    ensure_eq!(sums.len(), steps.len(), "the number of answers of run_many");
    for (sum, (_, step)) in sums.into_iter().zip(&steps) {
        ensure_eq!(sum?, Some(step.by), "the answer to one of 500 steps");
    }
    Ok(())
}

pub(super) async fn run_each_answers_programs_of_several_types(at: Scene<'_>) -> Outcome {
    let programs = at.programs()?;
    let (one, other, value) = (
        tally(1),
        Key::new(Journal::KIND, 1_i64),
        at.key("no-record"),
    );
    let line = Append {
        line: Bytes::from_static(b"seats"),
        ttl: LONG,
    };
    for before in [0, 1] {
        let (mut before_it, mut added) = (Run::new(&ReadTally), Run::new(&ADD_ONE));
        let (mut appended, mut refused) = (Run::new(&line), Run::new(&ADD_ONE));
        let mut after_it = Run::new(&ReadTally);
        let [first, second, third, fourth, fifth] = programs
            .run_each([
                (&one, &mut before_it),
                (&one, &mut added),
                (&other, &mut appended),
                (&value, &mut refused),
                (&one, &mut after_it),
            ])
            .await;
        let read = (before > 0).then_some(before);
        ensure_eq!(before_it.reply(first)?, read, "a read before the step");
        ensure_eq!(added.reply(second)?, Some(before + 1), "the step");
        let bytes = 5 * (before + 1);
        ensure_eq!(
            appended.reply(third)?,
            bytes,
            "a step on a record of another type"
        );
        is_error(
            refused.reply(fourth),
            WRONG_TYPE,
            "a step on a record of another type",
        )?;
        ensure_eq!(
            after_it.reply(fifth)?,
            Some(before + 1),
            "a read after the step"
        );
    }
    Ok(())
}

const ADD_ONE: Add = Add {
    by: 1,
    limit: 1000,
    ttl: LONG,
};

fn tally(id: i64) -> Key {
    Key::new(Tally::KIND, id)
}

fn add(by: i64) -> Add {
    Add {
        by,
        limit: 1000,
        ttl: LONG,
    }
}
