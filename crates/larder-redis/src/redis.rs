//! The one place where types of the client libraries are part of the interface.

pub use bb8_redis;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::Pool;

use crate::builder::RedisBuilder;

/// The options of a store that clones its connections out of an application's own pool.
///
/// Commands never check out. The store clones one multiplexed connection out of the pool, gives it
/// back at once, and comes again when it broke; where the pool then has none that answers, the
/// pool's manager is asked for one outside of it. The deadlines, the limit of what is in flight
/// and what is sent again are the store's own.
///
/// All commands of the store go over that one connection, so they run in the order in which they
/// were sent, also after one that had no answer. That ends where the store gives a connection up:
/// it is the pool's, so the store can neither close it nor have the server forget it, and a write
/// that it still holds may run after later ones. What the application sends itself has no order
/// with what the store sends, unless one waits for the answer of the other. A store that
/// [`connect`](crate::RedisStore::connect)s by itself closes what it gives up.
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
