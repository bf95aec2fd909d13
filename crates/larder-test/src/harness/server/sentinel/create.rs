//! Starts a master, its replicas and their sentinels.

use crate::harness::server::error::StartError;
use crate::harness::server::node::RedisNode;
use crate::harness::server::options::RedisOptions;
use crate::harness::server::quoted::quoted;
use crate::harness::server::side_by_side::start_together;

use super::{QUORUM, SENTINELS, SERVERS, SentinelOptions};

/// Starts a master and its replicas, and returns once all of them answer.
pub(super) fn servers(options: &RedisOptions) -> Result<Vec<RedisNode>, StartError> {
    let master = RedisNode::start(options.clone())?;
    let mut replica = options.clone();
    let source = format!("127.0.0.1 {}", master.port());
    replica.settings.insert(0, ("replicaof".to_owned(), source));
    let mut servers = vec![master];
    servers.extend(start_together(&vec![replica; SERVERS - 1])?);
    Ok(servers)
}

/// Starts sentinels that are configured only with the master.
pub(super) fn sentinels(
    options: &SentinelOptions,
    servers: &RedisOptions,
    master: &RedisNode,
) -> Result<Vec<RedisNode>, StartError> {
    let name = &options.name;
    let mut sentinel = servers.of_sentinels();
    let mut lines = vec![
        format!("monitor {name} 127.0.0.1 {} {QUORUM}", master.port()),
        format!(
            "down-after-milliseconds {name} {}",
            options.down_after.as_millis()
        ),
        format!(
            "failover-timeout {name} {}",
            options.failover_timeout.as_millis()
        ),
        format!("parallel-syncs {name} {SERVERS}"),
    ];
    if let Some((user, password)) = servers.harness_login() {
        if user != "default" {
            lines.push(format!("auth-user {name} {user}"));
        }
        lines.push(format!("auth-pass {name} {}", quoted(password)));
    }
    let settings = lines.into_iter().map(|line| ("sentinel".to_owned(), line));
    sentinel.settings.extend(settings);
    start_together(&vec![sentinel; SENTINELS])
}
