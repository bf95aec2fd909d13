use std::error::Error as _;
use std::fmt::Write;

use larder_store::{Delete, Error, Put, Store, Ttl, Version};
use larder_test::server::RedisOptions;

use crate::support::{Add, Stops, key, ok, patient, programs, tally};

const CANARY: &str = "hunter2";

/// All that can be printed of an error.
fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, " {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn no_error_and_no_debug_holds_a_password_a_key_or_a_value() {
    let mut server = RedisOptions::new().with_password(CANARY).start().unwrap();
    let store = patient(&server.url()).connect().await.unwrap();
    assert!(!format!("{store:?} {store:#?} {}", store.location()).contains(CANARY));
    let store = std::sync::Arc::new(store);
    let programs = programs(&store);
    let put = Put::new(key(CANARY), CANARY, Ttl::from_secs(60));
    let add = Add { by: 1, ms: 60_000 };
    let mut errors = vec![
        programs
            .run(&tally(CANARY), &Stops::default())
            .await
            .unwrap_err(),
    ];
    ok(&server, &["RPUSH", key(CANARY).as_str(), CANARY]);
    ok(&server, &["RPUSH", tally(CANARY).as_str(), CANARY]);
    for run in 0..2 {
        errors.extend(store.get(&key(CANARY)).await.err());
        errors.extend(
            store
                .put(&put.clone().if_version(Version::random()))
                .await
                .err(),
        );
        errors.extend(store.delete(&Delete::new(key(CANARY))).await.err());
        errors.extend(store.get_many(&[key(CANARY)]).await.remove(0).err());
        errors.extend(
            store
                .put_many(std::slice::from_ref(&put))
                .await
                .remove(0)
                .err(),
        );
        errors.extend(programs.run(&tally(CANARY), &add).await.err());
        if run == 0 {
            ok(&server, &["CONFIG", "SET", "requirepass", "another"]);
            server.kill();
        }
    }
    assert!(errors.len() >= 7, "{errors:?}");
    for error in &errors {
        assert!(!printed(error).contains(CANARY), "{}", printed(error));
    }
}
