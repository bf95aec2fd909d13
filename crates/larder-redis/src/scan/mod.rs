//! Scans with `SCAN` on one server after the other, never with `KEYS`.

mod glob;
mod position;
mod servers;

use std::time::Duration;

use ::redis::{Value, cmd};
use async_trait::async_trait;
use larder_store::Result;
use larder_store::scan::{Cursor, MAX_PAGE, Page, Scan};
use tokio::time::{Instant, sleep};

use crate::commands;
use crate::node::SupervisedNode;
use crate::operation::{Repeat, Request};
use crate::store::RedisStore;
use position::{MOVED, ScanPosition, invalid};
use servers::Servers;

/// The maximum number of keys that one `SCAN` looks at: some 50 microseconds of the server's time.
const STEP: usize = 250;

/// The minimum of keys in a step, so that small pages need few round trips.
const SMALLEST_STEP: usize = 10;

/// The time for which one page looks for keys if few match.
const PAGE_TIME: Duration = Duration::from_secs(1);

/// Each step is an operation, followed by a pause as long as the step.
///
/// So a scan keeps a server busy for at most half of the time.
///
/// Each server is identified when a page begins, and when the last one ends. If one was restarted or
/// replaced, or a slot moves, the scan is [`Invalid`](larder_store::ErrorKind::Invalid) and must start
/// again, because keys may be on no page. `FLUSHALL` does not count, because no key outlives it.
///
/// Keys that are not UTF-8 are omitted: none of them belongs to this store.
#[async_trait]
impl Scan for RedisStore {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        if !(1..=MAX_PAGE).contains(&about) {
            return Err(invalid("a page must have 1 to 1,000 keys"));
        }
        let servers = Servers::look(&self.route).await?;
        let (fingerprint, masters) = (servers.fingerprint, servers.masters);
        let mut position = match after {
            Some(cursor) => ScanPosition::read(cursor, fingerprint)?,
            None => ScanPosition::first(fingerprint),
        };
        let (pattern, started) = (glob::prefix(prefix), Instant::now());
        let mut keys = Vec::new();
        while let Some(server) = masters.get(position.server) {
            let count = (about - keys.len()).clamp(SMALLEST_STEP, STEP);
            let step_started = Instant::now();
            let (next, found) = step(server, position.at, &pattern, count).await?;
            let took = step_started.elapsed();
            keys.extend(found.into_iter().filter(|key| !is_aside(key)));
            (position.server, position.at) = match next {
                0 => (position.server + 1, 0),
                next => (position.server, next),
            };
            if position.server == masters.len() {
                break;
            }
            sleep(took).await;
            if keys.len() >= about || started.elapsed() >= PAGE_TIME {
                let next = Some(position.to_cursor());
                return Ok(Page { keys, next });
            }
        }
        // A change before the next page is noticed with that page. After the last page there is none.
        if Servers::look(&self.route).await?.fingerprint != fingerprint {
            return Err(invalid(MOVED));
        }
        Ok(Page { keys, next: None })
    }
}

/// Runs one `SCAN`, and returns the next cursor and the keys that it found.
async fn step(
    server: &SupervisedNode,
    at: u64,
    pattern: &[u8],
    count: usize,
) -> Result<(u64, Vec<String>)> {
    let mut command = cmd("SCAN");
    command.arg(at).arg("MATCH").arg(pattern);
    command.arg("COUNT").arg(count);
    let operation = server.begin(Request::read("scan"))?;
    let value = operation.send(&command, Repeat::Safe).await?;
    let Value::Array(parts) = value else {
        return Err(commands::unread("scan", &value));
    };
    let Ok([Value::BulkString(next), Value::Array(keys)]) = <[Value; 2]>::try_from(parts) else {
        return Err(commands::unread("scan", &Value::Nil));
    };
    let next = std::str::from_utf8(&next).ok();
    let next = next.and_then(|next| next.parse().ok());
    let next = next.ok_or_else(|| commands::unread("scan", &Value::Nil))?;
    let keys = keys.into_iter().filter_map(|key| match key {
        Value::BulkString(key) => String::from_utf8(key).ok(),
        _ => None,
    });
    Ok((next, keys.collect()))
}

/// Returns whether the store keeps this key beside another, such as a lease.
///
/// No part of a record has a `~`, and no id has a brace.
fn is_aside(key: &str) -> bool {
    key.rsplit_once("}:")
        .is_some_and(|(_, part)| part.starts_with('~') || part.contains(":~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_beside_a_key_is_not_listed_as_a_key() {
        for aside in [
            "film:{7}:~lease",
            "a:b:tally:{t}:~deadlines",
            "f:{7}:part:~lease",
        ] {
            assert!(is_aside(aside), "{aside}");
        }
        for key in [
            "film:{~lease}",
            "film:{a:~lease}",
            "film:{7}:part",
            "~lease",
            "x:~y",
        ] {
            assert!(!is_aside(key), "{key}");
        }
    }
}
