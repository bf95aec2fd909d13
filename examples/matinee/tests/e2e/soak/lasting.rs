//! The keys that would stay for ever.

use larder_test::server::RedisServer;

/// Returns the keys that have no TTL.
pub(super) fn lasting_keys(redis: &RedisServer) -> Vec<String> {
    let keys = redis.command(&["KEYS", "*"]).expect("the keys");
    let keys = keys.array().expect("a list").iter();
    let keys = keys.map(|key| key.text().expect("a key").into_owned());
    keys.filter(|key| {
        let left = redis.command(&["TTL", key]).expect("a TTL").int();
        left == Some(-1)
    })
    .collect()
}

#[test]
fn a_key_without_a_ttl_is_found_among_those_that_end() {
    let redis = RedisServer::start().unwrap();
    redis.command(&["SET", "ends", "1", "EX", "60"]).unwrap();
    assert_eq!(lasting_keys(&redis), [""; 0]);
    redis.command(&["SET", "stays", "1"]).unwrap();
    assert_eq!(lasting_keys(&redis), ["stays"]);
}
