//! ACL users may do what they were given and nothing else.

use larder_test::server::{AclUser, RedisOptions, RedisServer};
use redis::RedisResult;

use super::Outcome;

/// What one user may do on a server.
fn run(
    server: &RedisServer,
    user: &str,
    password: &str,
    command: &[&str],
) -> RedisResult<redis::Value> {
    let client = redis::Client::open(server.url_as(user, password))?;
    let mut words = redis::cmd(command[0]);
    words
        .arg(&command[1..])
        .query(&mut client.get_connection()?)
}

#[test]
fn a_user_is_limited_to_its_commands_keys_and_channels() -> Outcome {
    let app = AclUser::new("app", "open \"sesame\"")
        .with_key_prefix("prod*:")
        .with_channel_prefix("prod:")
        .with_commands("+@read +@write +publish")
        .with_commands("-@dangerous");
    let server = RedisOptions::new()
        .with_default_user_off()
        .with_acl_user(app)
        .start()?;
    let app = |command: &[&str]| run(&server, "app", "open \"sesame\"", command);
    for allowed in [&["SET", "prod*:a", "1"][..], &["PUBLISH", "prod:news", "1"]] {
        app(allowed).map_err(|error| format!("{allowed:?}: {error}"))?;
    }
    for refused in [
        &["SET", "production:a", "1"][..],
        &["SET", "test:a", "1"],
        &["PUBLISH", "test:news", "1"],
        &["KEYS", "prod*"],
        &["FLUSHALL"],
        &["CONFIG", "GET", "port"],
    ] {
        let error = app(refused).expect_err("what is not allowed is refused");
        assert_eq!(error.code(), Some("NOPERM"), "{refused:?}: {error}");
    }
    assert!(run(&server, "app", "wrong", &["GET", "prod*:a"]).is_err());
    let mut nobody = redis::Client::open(server.url())?.get_connection()?;
    let refused = redis::cmd("GET").arg("prod*:a").query::<()>(&mut nobody);
    assert_eq!(
        refused.expect_err("nobody is let in").code(),
        Some("NOAUTH")
    );
    Ok(())
}
