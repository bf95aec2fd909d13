//! The one place where types of the client libraries are part of the interface.

pub use bb8_redis;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::Pool;

use crate::builder::RedisBuilder;

/// The options of a store that clones its connections out of an application's own pool.
///
/// Commands never check out. The store clones [`RedisBuilder::with_connections`] multiplexed
/// connections out of the pool, gives them back at once, and comes again when one of them broke;
/// where the pool then has none that answers, the pool's manager is asked for one outside of it.
/// The deadlines, the limit of what is in flight and what is sent again are the store's own.
///
/// The timeouts of the pool's connections still hold: a response timeout of the client, which is
/// 500 ms unless it was set, ends a command where the store's deadline is longer.
///
/// ```no_run
/// use larder_redis::redis::bb8_redis::{RedisConnectionManager, bb8::Pool};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = RedisConnectionManager::new("redis://127.0.0.1:6379")?;
/// let pool = Pool::builder().build(manager).await?;
/// let store = larder_redis::redis::from_pool(pool).connect().await?;
/// # Ok(())
/// # }
/// ```
pub fn from_pool(pool: Pool<RedisConnectionManager>) -> RedisBuilder {
    RedisBuilder::on(pool)
}
