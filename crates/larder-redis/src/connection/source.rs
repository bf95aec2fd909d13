use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use bb8::{ErrorSink, Pool, PooledConnection, RunError};
use bb8_redis::RedisConnectionManager;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::fault::Fault;
use super::health::Health;
use super::limits::Limits;
use super::line::Line;
use super::manager::Manager;
use super::target::Target;

/// Where the lines of a server come from.
pub(crate) enum Source {
    /// A pool of ours.
    Own(Own),
    /// A pool of the application's, of which we clone connections.
    Lent(Pool<RedisConnectionManager>),
}

impl Source {
    /// A pool of connections that lead to `target`.
    pub(crate) fn own(target: Target, limits: &Limits, supervisor: Arc<Notify>) -> Self {
        let failures = Failures::default();
        let deadline = limits.connect_deadline;
        let pool = Pool::builder()
            .max_size(1)
            .test_on_check_out(true)
            // The supervisor decides when to dial again, and when a connection is too old.
            .retry_connection(false)
            .max_lifetime(None)
            .idle_timeout(None)
            // The manager gives up first, with the reason.
            .connection_timeout(deadline * 2)
            .error_sink(Box::new(failures.clone()))
            .build_unchecked(Manager::new(target.clone(), limits, supervisor));
        Self::Own(Own {
            pool,
            failures,
            target,
        })
    }

    /// Where the lines lead, where it is us who dial.
    pub(super) fn target(&self) -> Option<&Target> {
        match self {
            Self::Own(own) => Some(&own.target),
            Self::Lent(_) => None,
        }
    }

    /// A line that works, as far as is known: the last that was given has broken.
    pub(crate) async fn line(
        &self,
        deadline: Duration,
        supervisor: &Arc<Notify>,
    ) -> Result<Arc<Line>, Fault> {
        match self {
            Self::Own(own) => own.line().await,
            Self::Lent(pool) => {
                let connection = lent(pool, deadline).await?;
                let health = Arc::new(Health::new(supervisor.clone()));
                Ok(Arc::new(Line::lent(connection, health)))
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
    async fn line(&self) -> Result<Arc<Line>, Fault> {
        let line = self.check_out().await?;
        Ok(line.clone())
    }

    async fn check_out(&self) -> Result<PooledConnection<'_, Manager>, Fault> {
        self.failures.forget();
        // bb8 tells nobody who waits that the dial failed; its error sink does.
        tokio::select! {
            biased;
            line = self.pool.get() => line.map_err(|error| match error {
                RunError::User(fault) => fault,
                RunError::TimedOut => Fault::TimedOut,
            }),
            fault = self.failures.next() => Err(fault),
        }
    }
}

/// A connection that answers, out of a pool that we do not rule.
///
/// Where all that it has is dead or taken, its manager dials one more: the pool itself would retry
/// less and less often, and would hand out dead connections for ever where its test is off.
async fn lent(
    pool: &Pool<RedisConnectionManager>,
    deadline: Duration,
) -> Result<MultiplexedConnection, Fault> {
    let found = timeout(deadline / 2, async {
        let connection = pool.get().await.ok()?.clone();
        answers(connection).await
    });
    if let Ok(Some(connection)) = found.await {
        return Ok(connection);
    }
    match timeout(deadline, pool.dedicated_connection()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Fault::Redis(error)),
        Err(_) => Err(Fault::TimedOut),
    }
}

async fn answers(mut connection: MultiplexedConnection) -> Option<MultiplexedConnection> {
    let ping = ::redis::cmd("PING");
    let answer = connection.send_packed_command(&ping).await;
    answer.ok().map(|_| connection)
}

/// Why the pool's last dial failed.
#[derive(Clone, Debug, Default)]
struct Failures(Arc<Failed>);

#[derive(Debug, Default)]
struct Failed {
    last: Mutex<Option<Fault>>,
    told: Notify,
}

impl Failures {
    fn forget(&self) {
        *self.0.last.lock() = None;
    }

    async fn next(&self) -> Fault {
        loop {
            let told = self.0.told.notified();
            if let Some(fault) = self.0.last.lock().take() {
                return fault;
            }
            told.await;
        }
    }
}

impl ErrorSink<Fault> for Failures {
    fn sink(&self, fault: Fault) {
        // That a checkout met a broken connection is no failure: the next thing is a dial.
        if !matches!(fault, Fault::Broken) {
            *self.0.last.lock() = Some(fault);
            self.0.told.notify_one();
        }
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<Fault>> {
        Box::new(self.clone())
    }
}
