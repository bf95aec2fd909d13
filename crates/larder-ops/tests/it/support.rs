//! What the tests share: a healthy server, its users, and stores on it.

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_test::server::{AclUser, Connection, RedisOptions, RedisServer, Reply};

/// What the keys of the app begin with.
pub(crate) const PREFIX: &str = "prod:app:";

/// The rights of the page of the doctor.
fn doctors_rights() -> String {
    let page = include_str!("../../../../docs/doctor.md");
    let line = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER doctor"));
    line.unwrap()
        .replace("ACL SETUSER doctor on >PASSWORD", "on >secret")
}

/// The rights of an app on one server, as the page about servers has them.
fn apps_rights() -> String {
    let page = include_str!("../../../../docs/running-redis.md");
    let line = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER app"));
    line.unwrap()
        .replace("ACL SETUSER app on >PASSWORD", "on >secret")
}

/// A server as the documentation recommends it for everything.
pub(crate) fn healthy() -> RedisServer {
    RedisOptions::new()
        .with_setting("maxmemory", "64mb")
        .with_setting("maxmemory-policy", "noeviction")
        .with_setting("appendonly", "yes")
        .with_setting("appendfsync", "everysec")
        .with_setting("latency-monitor-threshold", "100")
        // A command that waits for a busy machine does not count as slow.
        .with_setting("slowlog-log-slower-than", "500000")
        .with_setting("enable-debug-command", "local")
        .with_user("doctor", doctors_rights())
        .with_user("app", apps_rights())
        .with_user("nokill", format!("{} -client|kill", apps_rights()))
        .with_user("noeval", format!("{} -eval", apps_rights()))
        .with_acl_user(
            AclUser::new("narrow", "secret")
                .with_key_prefix(PREFIX)
                .with_commands("+hello +auth +ping +get +set"),
        )
        .start()
        .unwrap()
}

pub(crate) async fn store(server: &RedisServer, user: &str) -> Arc<RedisStore> {
    connect(&server.url_as(user, "secret")).await
}

pub(crate) async fn connect(url: &str) -> Arc<RedisStore> {
    let patient = RedisStore::builder(url)
        .with_timeout(Duration::from_secs(5))
        .with_connect_timeout(Duration::from_secs(5));
    Arc::new(patient.connect().await.unwrap())
}

/// Runs commands that must succeed, one a line.
pub(crate) fn run(connection: &mut Connection, lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<_> = line.split(' ').map(|word| word.trim_matches('"')).collect();
        let reply = connection.call(&words).unwrap();
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    }
}
