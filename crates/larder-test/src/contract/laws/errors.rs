use bytes::Bytes;
use larder_store::program::Record;
use larder_store::{DEFAULT_MAX_VALUE, Delete, ErrorKind, Key, Put, Refusal};

use super::Outcome;
use super::scene::{LONG, Scene, is_error};
use crate::contract::records::{Add, ReadTally, Tally};

const WRONG_TYPE: ErrorKind = ErrorKind::Refused(Refusal::WrongType);

pub(super) async fn no_record_is_read_as_a_value(at: Scene<'_>) -> Outcome {
    let key = Key::new(Tally::KIND, "tally");
    is_error(
        at.store.get(&key).await,
        WRONG_TYPE,
        "get of a record's key",
    )?;
    is_error(
        at.store.ttl(&key).await,
        WRONG_TYPE,
        "ttl of a record's key",
    )
}

pub(super) async fn no_record_is_written_as_a_value(at: Scene<'_>) -> Outcome {
    let key = Key::new(Tally::KIND, "tally");
    let put = Put::new(key.clone(), "1", LONG);
    is_error(
        at.store.put(&put).await,
        WRONG_TYPE,
        "put on a record's key",
    )?;
    // A store without programs has no record that could have changed.
    if let Some(programs) = at.store.clone().programs() {
        let read = programs.run(&key, &ReadTally).await?;
        ensure_eq!(read, None, "the record, after a put that was refused");
    }
    Ok(())
}

pub(super) async fn no_record_is_removed_as_a_value(at: Scene<'_>) -> Outcome {
    let key = Key::new(Tally::KIND, "tally");
    let add = Add {
        by: 7,
        limit: 9,
        ttl: LONG,
    };
    // A store without programs has no record that could have changed.
    let programs = at.store.clone().programs();
    if let Some(programs) = &programs {
        programs.run(&key, &add).await?;
    }
    let delete = Delete::new(key.clone());
    is_error(
        at.store.delete(&delete).await,
        WRONG_TYPE,
        "delete of a record's key",
    )?;
    is_error(
        at.store.expire(&key, LONG).await,
        WRONG_TYPE,
        "expire of a record's key",
    )?;
    if let Some(programs) = programs {
        let read = programs.run(&key, &ReadTally).await?;
        ensure_eq!(read, Some(7), "the record, after a delete that was refused");
    }
    Ok(())
}

pub(super) async fn a_value_that_is_too_large_is_refused(at: Scene<'_>) -> Outcome {
    let large = at.put("seat", Bytes::from(vec![0; DEFAULT_MAX_VALUE + 1]));
    is_error(
        at.store.put(&large).await,
        ErrorKind::TooLarge,
        "put of 16 MiB and a byte",
    )?;
    at.is_absent(large.key(), "after it").await
}

pub(super) async fn a_value_that_is_too_large_leaves_the_old_one(at: Scene<'_>) -> Outcome {
    let old = at.put("seat", "ada");
    at.write(&old).await?;
    let large = at.put("seat", Bytes::from(vec![0; DEFAULT_MAX_VALUE + 1]));
    let _ = at.store.put(&large).await;
    at.holds(&old, "after a put that was too large").await
}

pub(super) async fn the_location_holds_no_secret(at: Scene<'_>) -> Outcome {
    let location = at.store.location();
    ensure!(
        !location.is_empty(),
        "the location: expected some text, got none"
    );
    // A URL may contain a user and a password in front of an '@', or as options.
    let options = ["user=", "pass=", "password="];
    ensure!(
        !location.contains('@') && !options.iter().any(|it| location.contains(it)),
        "the location: expected no credentials, got some"
    );
    Ok(())
}
