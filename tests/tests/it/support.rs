//! What the tests share.

use std::time::Duration;

use larder_redis::{RedisBuilder, RedisStore};

/// A store with deadlines that a loaded machine keeps: these tests are about answers.
pub(crate) fn patient(url: &str) -> RedisBuilder {
    let long = Duration::from_secs(10);
    RedisStore::builder(url)
        .with_timeout(long)
        .with_connect_timeout(long)
}
