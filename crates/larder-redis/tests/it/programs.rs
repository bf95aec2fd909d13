use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder_store::program::{Calls, Run};
use larder_store::{ErrorKind, Refusal};
use larder_test::server::RedisOptions;

use crate::support::{
    Add, Broken, Log, Look, Now, Set, Shape, Sly, Stops, ok, patient, programs, server, store,
    tally,
};

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn a_program_runs_and_answers() {
    let server = server();
    let programs = programs(&store(&server).await);
    let add = Add { by: 2, ms: MINUTE };
    assert_eq!(programs.run(&tally(1), &add).await.unwrap(), 2);
    assert_eq!(programs.run(&tally(1), &add).await.unwrap(), 4);
    assert_eq!(
        programs.run(&tally(1), &Log { ms: MINUTE }).await.unwrap(),
        1
    );
    let seen = programs.run(&tally(1), &Look::default()).await.unwrap();
    assert_eq!(seen.fields(), [("n".to_owned(), "4".to_owned())]);
    let big = Set {
        to: 1 << 53,
        ms: MINUTE,
    };
    assert_eq!(programs.run(&tally(1), &big).await.unwrap(), 1 << 53);
    assert_eq!(
        programs.run(&tally(1), &Shape::default()).await.unwrap(),
        (2, 0)
    );
}

#[tokio::test]
async fn time_in_a_program_is_the_servers_in_microseconds() {
    let server = server();
    let programs = programs(&store(&server).await);
    let now = programs.run(&tally(1), &Now::default()).await.unwrap();
    let here = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let apart = here.abs_diff(Duration::from_micros(now.unsigned_abs()));
    assert!(apart < Duration::from_secs(5), "{apart:?}");
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_sent_again() {
    let server = server();
    let programs = programs(&store(&server).await);
    let add = Add { by: 1, ms: MINUTE };
    for n in 1..5 {
        assert_eq!(programs.run(&tally(1), &add).await.unwrap(), n);
        ok(&server, &["SCRIPT", "FLUSH", "SYNC"]);
    }
}

#[tokio::test]
async fn many_steps_run_once_each_also_when_the_server_forgot_their_script() {
    let server = server();
    let programs = programs(&store(&server).await);
    for round in 1..4_i64 {
        let steps: Vec<_> = (0..20_i64)
            .map(|id| (tally(id), Add { by: id, ms: MINUTE }))
            .collect();
        for (id, result) in programs.run_many(&steps).await.into_iter().enumerate() {
            assert_eq!(result.unwrap(), id as i64 * round);
        }
        ok(&server, &["SCRIPT", "FLUSH", "SYNC"]);
    }
}

#[tokio::test]
async fn steps_on_one_record_keep_their_order() {
    let server = server();
    let programs = programs(&store(&server).await);
    let add = |by| Add { by, ms: MINUTE };
    for round in 0..3 {
        let steps = [
            (tally(round), add(1)),
            (tally(9), add(0)),
            (tally(round), add(10)),
        ];
        let mut results = programs
            .run_many(&steps)
            .await
            .into_iter()
            .map(std::result::Result::unwrap);
        assert_eq!(results.next(), Some(1));
        assert_eq!(results.nth(1), Some(11));
        ok(&server, &["SCRIPT", "FLUSH", "SYNC"]);
    }
    assert!(programs.run_many::<Add>(&[]).await.is_empty());
}

#[tokio::test]
async fn a_program_that_only_reads_is_refused_a_write() {
    let server = server();
    let programs = programs(&store(&server).await);
    let error = programs.run(&tally(1), &Sly::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun);
    assert!(
        error.to_string().contains("'Sly' failed in line 1"),
        "{error}"
    );
    assert_eq!(ok(&server, &["DBSIZE"]), larder_test::server::Reply::Int(0));
}

#[tokio::test]
async fn an_error_of_a_program_says_where_and_not_with_what() {
    let server = server();
    let programs = programs(&store(&server).await);
    let error = programs
        .run(&tally(1), &Broken::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("'Broken' does not compile"),
        "{error}"
    );
    let error = programs
        .run(&tally(1), &Stops::default())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("'Stops' failed in line 2 of its Lua script"),
        "{error}"
    );
}

#[tokio::test]
async fn an_argument_past_two_to_the_53_is_never_sent() {
    let server = server();
    let programs = programs(&store(&server).await);
    let add = Add {
        by: (1 << 53) + 1,
        ms: MINUTE,
    };
    let error = programs.run(&tally(1), &add).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn another_type_in_the_records_place_is_the_wrong_type() {
    let server = server();
    let programs = programs(&store(&server).await);
    ok(&server, &["RPUSH", tally(1).as_str(), "x"]);
    let add = Add { by: 1, ms: MINUTE };
    let steps = [(tally(1), add), (tally(2), Add { by: 1, ms: MINUTE })];
    let error = programs.run(&tally(1), &steps[0].1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::WrongType));
    let results = programs.run_many(&steps).await;
    assert_eq!(
        results[0].as_ref().unwrap_err().kind(),
        ErrorKind::Refused(Refusal::WrongType)
    );
    assert_eq!(*results[1].as_ref().unwrap(), 1);
}

#[tokio::test]
async fn a_forgotten_step_does_not_run_after_one_that_was_to_follow_it() {
    let server = server();
    let programs = programs(&store(&server).await);
    let set = |to| Set { to, ms: MINUTE };
    for start in [10, 20] {
        ok(&server, &["SCRIPT", "FLUSH", "SYNC"]);
        programs.run(&tally(1), &set(start)).await.unwrap();
        let (add, set) = (Add { by: 1, ms: MINUTE }, set(0));
        let (mut added, mut was_set) = (Run::new(&add), Run::new(&set));
        let key = tally(1);
        let calls: Calls<'_> = vec![(&key, &mut added), (&key, &mut was_set)];
        let mut results = programs.call_many(calls).await.into_iter();
        assert_eq!(added.reply(results.next().unwrap()).unwrap(), start + 1);
        assert_eq!(was_set.reply(results.next().unwrap()).unwrap(), 0);
        let seen = programs.run(&tally(1), &Look::default()).await.unwrap();
        assert_eq!(seen.fields()[0].1, "0");
    }
}

#[tokio::test]
async fn a_program_that_is_stopped_at_a_forbidden_command_may_have_run() {
    let options = RedisOptions::new().with_user("app", "on >secret ~* +@all -pexpire");
    let server = options.start().unwrap();
    let store = patient(&server.url_as("app", "secret"))
        .connect()
        .await
        .unwrap();
    let programs = programs(&Arc::new(store));
    let error = programs
        .run(&tally(1), &Log { ms: 60_000 })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    assert!(error.to_string().contains("NOPERM"), "{error}");
    // It wrote before it failed.
    let log = format!("{}:log", tally(1).as_str());
    assert_eq!(ok(&server, &["LLEN", &log]).int(), Some(1));
}
