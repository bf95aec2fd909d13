//! Makes the connections of a server, from our own pool or an app's.

mod manager;

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use bb8::{ErrorSink, Pool, PooledConnection, RunError};
use bb8_redis::RedisConnectionManager;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::connection::{ConnectError, Connection, Health};
use manager::Manager;

pub(crate) use manager::{Target, connect};

/// Makes the connections of a server.
pub(crate) enum Source {
    /// A pool of the store's own.
    Own(Box<Own>),
    /// A pool of the app, from which we clone connections.
    Lent(Pool<RedisConnectionManager>),
}

impl Source {
    /// Makes a pool of connections to `target`.
    pub(crate) fn own(target: Target, deadline: Duration, supervisor: Arc<Notify>) -> Self {
        let failures = Failures::default();
        let pool = Pool::builder()
            .max_size(1)
            .test_on_check_out(true)
            // The supervisor decides when to connect again, and when a connection is too old.
            .retry_connection(false)
            .max_lifetime(None)
            .idle_timeout(None)
            // The manager gives up first, with the reason.
            .connection_timeout(deadline * 2)
            .error_sink(Box::new(failures.clone()))
            .build_unchecked(Manager::new(target.clone(), deadline, supervisor));
        Self::Own(Box::new(Own {
            pool,
            failures,
            target,
        }))
    }

    /// Returns the target of the connections. None for an app's pool.
    pub(crate) fn target(&self) -> Option<&Target> {
        match self {
            Self::Own(own) => Some(&own.target),
            Self::Lent(_) => None,
        }
    }

    /// Makes a connection in place of the last one, which has broken.
    pub(crate) async fn connect(
        &self,
        deadline: Duration,
        supervisor: &Arc<Notify>,
    ) -> Result<Arc<Connection>, ConnectError> {
        match self {
            Self::Own(own) => own.connect().await,
            Self::Lent(pool) => {
                let multiplexed = lent(pool, deadline).await?;
                let health = Arc::new(Health::new(supervisor.clone()));
                Ok(Arc::new(Connection::lent(multiplexed, health)))
            }
        }
    }
}

pub(crate) struct Own {
    pool: Pool<Manager>,
    failures: Failures,
    target: Target,
}

impl Own {
    async fn connect(&self) -> Result<Arc<Connection>, ConnectError> {
        let connection = self.check_out().await?;
        Ok(connection.clone())
    }

    async fn check_out(&self) -> Result<PooledConnection<'_, Manager>, ConnectError> {
        self.failures.forget();
        // bb8 reports a failed connection to its error sink, and not to those who wait.
        tokio::select! {
            biased;
            connection = self.pool.get() => connection.map_err(|error| match error {
                RunError::User(error) => error,
                RunError::TimedOut => ConnectError::TimedOut,
            }),
            error = self.failures.next() => Err(error),
        }
    }
}

/// Takes a connection that answers from an app's pool.
///
/// If all of its connections are dead or taken, its manager dials another: the pool itself would
/// retry less and less often, and would hand out dead connections for ever if its test is off.
async fn lent(
    pool: &Pool<RedisConnectionManager>,
    deadline: Duration,
) -> Result<MultiplexedConnection, ConnectError> {
    let found = timeout(deadline / 2, async {
        let multiplexed = pool.get().await.ok()?.clone();
        answers(multiplexed).await
    });
    if let Ok(Some(multiplexed)) = found.await {
        return Ok(multiplexed);
    }
    match timeout(deadline, pool.dedicated_connection()).await {
        Ok(Ok(multiplexed)) => Ok(multiplexed),
        Ok(Err(error)) => Err(ConnectError::Redis(error)),
        Err(_) => Err(ConnectError::TimedOut),
    }
}

async fn answers(mut multiplexed: MultiplexedConnection) -> Option<MultiplexedConnection> {
    let ping = ::redis::cmd("PING");
    let answer = multiplexed.send_packed_command(&ping).await;
    answer.ok().map(|_| multiplexed)
}

/// Why the pool's last dial failed.
#[derive(Clone, Debug, Default)]
struct Failures(Arc<Failed>);

#[derive(Debug, Default)]
struct Failed {
    last: Mutex<Option<ConnectError>>,
    failed: Notify,
}

impl Failures {
    fn forget(&self) {
        *self.0.last.lock() = None;
    }

    async fn next(&self) -> ConnectError {
        loop {
            let failed = self.0.failed.notified();
            if let Some(error) = self.0.last.lock().take() {
                return error;
            }
            failed.await;
        }
    }
}

impl ErrorSink<ConnectError> for Failures {
    fn sink(&self, error: ConnectError) {
        // A checkout that found a broken connection is not a failure: the pool makes a new one.
        if !matches!(error, ConnectError::Broken) {
            *self.0.last.lock() = Some(error);
            self.0.failed.notify_one();
        }
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<ConnectError>> {
        Box::new(self.clone())
    }
}
