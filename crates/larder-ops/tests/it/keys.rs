//! Surveys of keys.

use std::sync::Arc;

use larder_ops::keys::Surveyor;
use larder_store::Store;

use crate::support::{healthy, run, store};

#[tokio::test]
async fn a_survey_counts_and_measures_by_kind_and_lists_the_largest() {
    let server = healthy();
    let mut connection = server.connect().unwrap();
    run(
        &mut connection,
        "SET prod:app:film:{1} xxxxxxxxxx PX 60000
         SET prod:app:film:{2} x PX 90000
         HSET prod:app:queue:{mail} seq 1
         SET other:film:{1} x",
    );
    let hostile = "prod:app:\n\u{1b}[2J{";
    connection.call(&["SET", hostile, "x"]).unwrap();
    connection
        .call(&[
            "SET",
            &format!("prod:app:film:{{{}}}", "k".repeat(10_240)),
            "x",
        ])
        .unwrap();

    let redis = store(&server, "doctor").await;
    let admin = redis.admin();
    let store: Arc<dyn Store> = redis;
    let mut pages = 0;
    let survey = Surveyor::new(Some(admin)).with_largest(2);
    let survey = survey
        .survey(&store, "prod:app:", |_| pages += 1)
        .await
        .unwrap();
    assert!(pages > 0);
    assert_eq!(survey.keys, 5);
    let film = &survey.kinds["prod:app:film"];
    assert_eq!((film.keys, film.measured, film.without_ttl), (3, 3, 1));
    let (shortest, longest) = (film.shortest_ttl_ms.unwrap(), film.longest_ttl_ms.unwrap());
    assert!((30_000..=60_000).contains(&shortest) && (60_000..=90_000).contains(&longest));
    assert_eq!(survey.kinds["prod:app:queue"].without_ttl, 1);
    assert_eq!(survey.kinds["(other)"].keys, 1);
    assert_eq!(survey.largest.len(), 2);
    assert!(survey.largest[0].0.len() > 10_240 && survey.largest[0].1 > 10_240);
}

#[tokio::test]
async fn keys_that_the_user_may_not_name_are_counted_and_not_measured() {
    let server = healthy();
    let mut connection = server.connect().unwrap();
    run(
        &mut connection,
        "SET prod:app:film:{1} x PX 60000
         SET other:app:film:{1} x",
    );
    for user in ["app", "doctor"] {
        let redis = store(&server, user).await;
        let surveyor = Surveyor::new(Some(redis.admin()));
        let store: Arc<dyn Store> = redis;
        let survey = surveyor.survey(&store, "", |_| ()).await.unwrap();
        let measured = |kind: &str| (survey.kinds[kind].keys, survey.kinds[kind].measured);
        assert_eq!(measured("prod:app:film"), (1, 1), "{user}");
        assert_eq!(measured("other:app:film"), (1, 0), "{user}");
    }
}

#[tokio::test]
async fn a_survey_of_many_keys_runs_no_keys_command_and_only_small_scans() {
    const KEYS: u64 = 20_000;
    let server = healthy();
    let fill = "for i=1,20000 do redis.call('SET','prod:app:film:{'..i..'}','x','PX',600000) end";
    server.command(&["EVAL", fill, "0"]).unwrap();
    server.command(&["CONFIG", "RESETSTAT"]).unwrap();
    let redis = store(&server, "doctor").await;
    let admin = redis.admin();
    let store: Arc<dyn Store> = redis;
    let survey = Surveyor::new(Some(admin))
        .survey(&store, "prod:app:film:", |_| ())
        .await
        .unwrap();
    let film = &survey.kinds["prod:app:film"];
    // A key may be seen twice while the server rehashes.
    assert!((KEYS..KEYS + 2_000).contains(&film.keys), "{}", film.keys);
    assert!((5_000..6_000).contains(&film.measured), "{}", film.measured);
    let info = server.command(&["INFO", "commandstats"]).unwrap();
    let info = info.text().unwrap().into_owned();
    assert!(!info.contains("cmdstat_keys:"), "{info}");
    let scans = info
        .lines()
        .find(|line| line.starts_with("cmdstat_scan:"))
        .unwrap();
    let calls = scans
        .split("calls=")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    assert!(calls.parse::<u64>().unwrap() >= KEYS / 400, "{scans}");
}
