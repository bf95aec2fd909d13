use std::sync::Arc;
use std::time::Duration;

use larder_store::program::Programs;
use larder_store::{Clock, ErrorKind, ManualClock, Timestamp};
use larder_test::server::{RedisServer, Reply};

use crate::support::{
    Add, Leak, Log, Look, Now, Remove, Shape, Sly, ok, patient, programs, server, tally,
};

async fn at(server: &RedisServer, clock: &ManualClock) -> Arc<dyn Programs> {
    let builder = patient(&server.url()).with_virtual_time(clock.clone());
    programs(&Arc::new(builder.connect().await.unwrap()))
}

const SECOND: i64 = 1_000;

#[tokio::test]
async fn now_is_the_time_of_the_clock() {
    let (server, clock) = (
        server(),
        ManualClock::new(Timestamp::from_micros((1 << 53) - 7)),
    );
    let programs = at(&server, &clock).await;
    for _ in 0..3 {
        let now = programs.run(&tally(1), &Now::default()).await.unwrap();
        assert_eq!(now, clock.now().as_micros());
        clock.advance_micros(1);
    }
}

#[tokio::test]
async fn a_key_ends_at_its_virtual_deadline_and_not_a_microsecond_before() {
    let (server, clock) = (server(), ManualClock::default());
    let programs = at(&server, &clock).await;
    let add = Add { by: 1, ms: SECOND };
    assert_eq!(programs.run(&tally(1), &add).await.unwrap(), 1);
    clock.advance_micros(999_999);
    assert_eq!(programs.run(&tally(1), &add).await.unwrap(), 2);
    clock.advance_micros(1_000_000);
    let seen = programs.run(&tally(1), &Look::default()).await.unwrap();
    assert_eq!(seen.fields()[0].1, "none");
    assert_eq!(programs.run(&tally(1), &add).await.unwrap(), 1);
}

#[tokio::test]
async fn each_key_of_a_record_has_a_deadline_of_its_own() {
    let (server, clock) = (server(), ManualClock::default());
    let programs = at(&server, &clock).await;
    programs
        .run(&tally(1), &Add { by: 1, ms: SECOND })
        .await
        .unwrap();
    programs
        .run(&tally(1), &Log { ms: 3 * SECOND })
        .await
        .unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        programs
            .run(&tally(1), &Log { ms: 3 * SECOND })
            .await
            .unwrap(),
        2
    );
    let seen = programs.run(&tally(1), &Look::default()).await.unwrap();
    assert_eq!(seen.fields()[0].1, "none");
    clock.advance(Duration::from_secs(3));
    assert_eq!(
        programs.run(&tally(1), &Log { ms: SECOND }).await.unwrap(),
        1
    );
}

#[tokio::test]
async fn a_program_sees_the_keys_and_arguments_that_it_sees_in_production() {
    let (server, clock) = (server(), ManualClock::default());
    let programs = at(&server, &clock).await;
    assert_eq!(
        programs.run(&tally(1), &Shape::default()).await.unwrap(),
        (2, 0)
    );
}

#[tokio::test]
async fn a_key_that_is_left_without_a_ttl_is_an_error() {
    let (server, clock) = (server(), ManualClock::default());
    let programs = at(&server, &clock).await;
    let error = programs.run(&tally(1), &Leak::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert!(
        error
            .to_string()
            .contains("'Leak' left a key of its record without a TTL"),
        "{error}"
    );
    // Also if the key had a TTL, and the write removed it.
    programs
        .run(&tally(2), &Add { by: 1, ms: SECOND })
        .await
        .unwrap();
    programs.run(&tally(2), &Leak::default()).await.unwrap_err();
    // The rule also holds for a program that reads.
    programs.run(&tally(2), &Look::default()).await.unwrap_err();
    assert_eq!(
        programs.run(&tally(2), &Remove::default()).await.unwrap(),
        1
    );
    programs.run(&tally(2), &Look::default()).await.unwrap();
}

#[tokio::test]
async fn a_program_that_only_reads_may_not_write_in_virtual_time_either() {
    let (server, clock) = (server(), ManualClock::default());
    let programs = at(&server, &clock).await;
    programs.run(&tally(1), &Sly::default()).await.unwrap_err();
    assert_eq!(ok(&server, &["EXISTS", tally(1).as_str()]), Reply::Int(0));
}

#[tokio::test]
async fn no_key_ends_by_the_servers_clock_during_a_test() {
    let (server, clock) = (server(), ManualClock::default());
    let programs = at(&server, &clock).await;
    programs
        .run(&tally(1), &Add { by: 1, ms: 1 })
        .await
        .unwrap();
    programs.run(&tally(1), &Log { ms: 1 }).await.unwrap();
    let Reply::Array(keys) = ok(&server, &["KEYS", "*"]) else {
        panic!("no list of keys");
    };
    assert_eq!(keys.len(), 3);
    for key in keys {
        let key = key.text().unwrap().into_owned();
        let Reply::Int(ttl) = ok(&server, &["PTTL", &key]) else {
            panic!("no TTL");
        };
        assert!(ttl > 3_600_000, "{key}: {ttl}");
    }
}

#[tokio::test]
async fn many_steps_run_in_virtual_time_too() {
    let (server, clock) = (server(), ManualClock::default());
    let programs = at(&server, &clock).await;
    let steps = [
        (tally(1), Add { by: 1, ms: SECOND }),
        (
            tally(2),
            Add {
                by: 1,
                ms: 2 * SECOND,
            },
        ),
        (tally(1), Add { by: 1, ms: SECOND }),
    ];
    for expected in [[1, 1, 2], [1, 2, 2]] {
        let results = programs.run_many(&steps).await;
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, expected);
        clock.advance(Duration::from_secs(1));
    }
}
