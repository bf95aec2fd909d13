//! Examines the servers of a store, and reports what is wrong and how to fix it.
//!
//! - [`Doctor`] reads what the servers report about themselves, with read-only commands.
//! - A check is a pure function from those facts to a [`Finding`], with a number such as `L003`.
//! - A [`Report`] is all findings, for a log, a person or a program.

mod app;
mod checks;
mod dangerous;
mod facts;
mod permissions;
mod read;
mod report;
mod uses;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use larder_redis::RedisStore;
use tokio::time::sleep;

use checks::SERVER_CHECKS;
use facts::Facts;
use read::Reader;

pub use app::{
    AddressSource, App, GuardFailMode, Layer, Proxies, duplicated_store_crates,
    memory_shared_by_processes, namespace_owner, poisoned_values,
};
pub use checks::{CheckId, UnknownCheck, all_checks};
pub use report::{Finding, Report, Status};
pub use uses::{UnknownUse, Use, Uses};

/// Examines the servers of a store.
///
/// It sends only commands that read, such as `INFO`, and up to three of them about each of at most 500 keys. If the
/// user may not run a command, the findings that need it are [`Unknown`](Status::Unknown), never an error.
///
/// ```no_run
/// use std::sync::Arc;
/// use larder_ops::doctor::{Doctor, Status, Use, Uses};
/// use larder_redis::RedisStore;
///
/// # async fn start() -> larder_store::Result<()> {
/// let store = Arc::new(RedisStore::connect("redis://127.0.0.1:6379").await?);
/// let uses = Uses::new([Use::Cache, Use::Sessions]);
/// let report = Doctor::new(uses).with_prefix("prod:app:").examine(&store).await;
/// report.log();
/// assert!(report.worst() < Status::Fail);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Doctor {
    context: Context,
    prefix: String,
    user: Option<String>,
    interval: Duration,
}

/// What the app expects of its servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) uses: Uses,
    /// The timeout of the app's operations.
    pub(crate) timeout: Duration,
    pub(crate) needs_replicas: bool,
}

impl Doctor {
    /// Makes a doctor for servers with these uses.
    pub fn new(uses: Uses) -> Self {
        Self {
            context: Context {
                uses,
                timeout: Duration::from_millis(100),
                needs_replicas: false,
            },
            prefix: String::new(),
            user: None,
            interval: Duration::from_secs(1),
        }
    }

    /// Sets the timeout of the app's operations. Default: 100 ms, like that of the store.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.context.timeout = timeout;
        self
    }

    /// Expects that writes wait for replicas, so that a server without one is a failure.
    #[must_use]
    pub fn with_replicas(mut self) -> Self {
        self.context.needs_replicas = true;
        self
    }

    /// Looks only at keys that begin with `prefix`, such as `prod:app:`. Default: all keys of larder's form.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Checks the rights of the ACL user `name`. Default: the user of the URL.
    #[must_use]
    pub fn with_app_user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Sets the time between two readings of counters. Default: 1 s.
    ///
    /// A counter that rises in between shows a problem that is happening now.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Examines the servers that take writes: one, or each master of a cluster.
    ///
    /// It takes the [interval](Self::with_interval), and some twenty round trips to each server. A server
    /// that does not answer is a finding, and not an error.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn examine(&self, store: &Arc<RedisStore>) -> Report {
        let admin = store.admin();
        let servers = admin.servers();
        let reader = Reader {
            admin: &admin,
            prefix: &self.prefix,
            user: self.user.as_deref(),
        };
        let mut facts = join_all(servers.iter().map(|server| reader.read(server))).await;
        let counts_uses = facts.iter().any(Facts::counts_uses);
        let keys = reader.read_keys(store, counts_uses).await;
        let sentinels = reader.read_sentinels().await;
        sleep(self.interval).await;
        let later = join_all(servers.iter().map(|server| reader.read_info(server))).await;
        for (facts, later) in facts.iter_mut().zip(later) {
            facts.later = later.ok();
        }
        // Keys and sentinels are read once for all servers, and reported for the first.
        if let Some(first) = facts.first_mut() {
            first.keys = Some(keys);
            first.sentinels = sentinels;
        }
        self.judge(&facts)
    }

    fn judge(&self, facts: &[Facts]) -> Report {
        if facts.is_empty() {
            // No node of a cluster may be known; finding no fault then would be misleading.
            return Report::new(vec![checks::no_server()]);
        }
        let findings = SERVER_CHECKS.iter().flat_map(|check| {
            let judged = facts.iter();
            judged.filter_map(|facts| check.judge(facts, &self.context))
        });
        Report::new(findings.collect())
    }
}
