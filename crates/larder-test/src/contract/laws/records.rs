use std::sync::Arc;

use async_trait::async_trait;
use larder_store::program::{Call, Calls, Inspection, Programs, Record};
use larder_store::{ErrorKind, Key, Refusal, Result};

use super::Outcome;
use super::scene::{LONG, Scene, is_error};
use crate::contract::records::{Add, ClearTally, Mark, ReadTally, Tally};

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
        "the record after it"
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
    ensure_eq!(read, Some(2), "the record after them");
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
        "a read after it"
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
        "a removal after it"
    );
    let shown = programs.inspect::<Tally>(&key).await?;
    ensure_eq!(shown, Inspection::new(), "an inspection after it");
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

pub(super) async fn an_inspection_shows_the_record_and_changes_nothing(at: Scene<'_>) -> Outcome {
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

/// Programs whose synchronous form is always pending.
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
