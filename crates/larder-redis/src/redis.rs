//! The only public interface that names types of the client libraries.

pub use bb8_redis;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::Pool;

use crate::builder::RedisStoreBuilder;

/// Returns the options of a store on connections that it clones from an app's pool.
///
/// Commands never check out a connection. The store clones one multiplexed connection from the
/// pool, returns it at once, and takes another when it breaks. If the pool then has none that
/// answers, its manager makes one outside the pool. The deadlines, the limit of operations in
/// flight and the retries are the store's own.
///
/// All commands of the store share that one connection, so they run in the order in which they were
/// sent, even after one without an answer. This ends when the store gives a connection up: the
/// connection is the pool's, so the store can neither close it nor have the server forget it, and a
/// write that it still holds may run after later ones. Commands that the app sends itself have no
/// order with those of the store, unless one waits for the answer of the other. A store that
/// [`connect`](crate::RedisStore::connect)s by itself closes the connections that it gives up.
///
/// The timeouts of the pool's connections still apply: a response timeout of the client, 500 ms by
/// default, ends a command even if the store's deadline is longer.
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
pub fn from_pool(pool: Pool<RedisConnectionManager>) -> RedisStoreBuilder {
    RedisStoreBuilder::on(pool)
}
