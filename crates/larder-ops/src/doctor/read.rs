//! Reads facts from servers, each with a deadline.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::{join_all, join3};
use larder_redis::{Admin, AdminServer, RedisStore};
use larder_store::program::Wire;
use larder_store::{Error, ErrorKind, Refusal, Store};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::checks::{NEEDS, SLOW_ENTRIES};
use super::facts::{Facts, KeySample, LatencyEvent, NoUser, Right, Sentinel, SlowCommand, User};
use super::permissions::Excess;
use crate::fields::{Fields, Missing};
use crate::keys::{TOGETHER, is_of_larder};
use crate::time::now;

/// The number of `PING`s, of which the median counts.
const PINGS: usize = 5;

/// The maximum number of keys that are measured, and of pages that are read to find them.
const KEYS: usize = 500;
const PAGES: usize = 4;

/// The settings that checks look at.
const SETTINGS: [&str; 8] = [
    "timeout",
    "appendfsync",
    "notify-keyspace-events",
    "latency-monitor-threshold",
    "cluster-require-full-coverage",
    "cluster-node-timeout",
    "slowlog-log-slower-than",
    "slowlog-max-len",
];

/// Reads facts about the servers of a store.
pub(super) struct Reader<'a> {
    pub(super) admin: &'a Admin,
    pub(super) prefix: &'a str,
    pub(super) user: Option<&'a str>,
}

impl Reader<'_> {
    pub(super) async fn read(&self, server: &AdminServer) -> Facts {
        let info = self.read_info(server).await;
        let (clock, now) = read_clock(server).await;
        let user = self.read_user(server).await;
        let rights = match (&user, self.user) {
            (Ok(Err(absent)), _) => Err(Missing::new(absent.text())),
            (_, Some(name)) => self.read_rights(server, name).await,
            (Ok(Ok(user)), None) => self.read_rights(server, &user.name).await,
            (Err(missing), None) => Err(missing.clone()),
        };
        Facts {
            server: server.location().to_owned(),
            addresses: addresses(server.location()).await,
            pings: read_pings(server).await,
            info,
            later: None,
            config: read_config(server).await,
            slow: read_slow(server, now).await,
            events: read_events(server).await,
            cluster: match self.admin.is_cluster() {
                true => Some(read_fields(server, &["CLUSTER", "INFO"]).await),
                false => None,
            },
            user,
            rights,
            certificate: read_certificate(server).await,
            clock,
            keys: None,
            sentinels: None,
        }
    }

    pub(super) async fn read_info(&self, server: &AdminServer) -> Result<Fields, Missing> {
        read_fields(server, &["INFO", "all"]).await
    }

    pub(super) async fn read_sentinels(&self) -> Option<Vec<Sentinel>> {
        let sentinels = self.admin.sentinels().await?.into_iter();
        let read = sentinels.map(|it| Sentinel {
            location: it.location,
            answers: !(is_unanswered(&it.has_quorum) || is_unanswered(&it.down_after)),
            has_quorum: it.has_quorum.map_err(|error| missing(&error)),
            down_after: it.down_after.map_err(|error| missing(&error)),
        });
        Some(read.collect())
    }

    async fn read_user(&self, server: &AdminServer) -> Result<Result<User, NoUser>, Missing> {
        let name = match self.user {
            Some(name) => name.to_owned(),
            None => text(run(server, &["ACL", "WHOAMI"]).await?)?,
        };
        let answer = run(server, &["ACL", "GETUSER", &name]).await?;
        if answer == Wire::Nil {
            return Ok(Err(NoUser(name)));
        }
        let fields: Vec<(Wire, Wire)> = pairs(answer)?;
        let find = |wanted: &str| {
            let mut fields = fields.iter();
            let found = fields.find(|(field, _)| flat(field) == wanted);
            found.map(|(_, value)| flat(value)).unwrap_or_default()
        };
        let mut selectors = fields.iter();
        let selectors = selectors.find(|(field, _)| flat(field) == "selectors");
        let selectors = selectors.map_or(&Wire::Nil, |(_, selectors)| selectors);
        let flags = find("flags");
        Ok(Ok(User {
            name,
            excess: Excess::of(&find("commands"), &find("keys"), selectors),
            needs_no_password: flags.split(' ').any(|flag| flag == "nopass"),
        }))
    }

    async fn read_rights(&self, server: &AdminServer, user: &str) -> Result<Vec<Right>, Missing> {
        let key = format!("{}larder-doctor:{{x}}", self.prefix);
        let asking = NEEDS.iter().map(|need| {
            let mut command = vec!["ACL", "DRYRUN", user];
            command.extend(need.command.iter().map(|word| match *word {
                "KEY" | "CHANNEL" => key.as_str(),
                word => word,
            }));
            async move {
                let answer = text(run(server, &command).await?)?;
                let is_granted = answer == "OK";
                // If the keys are unknown, the one that was tried may belong to another app.
                if answer.contains(" to access ") && self.prefix.is_empty() {
                    let text = "the user is limited to some keys: name their prefix";
                    return Err(Missing::new(text));
                }
                Ok(Right { need, is_granted })
            }
        });
        join_all(asking).await.into_iter().collect()
    }

    /// Measures some of the keys that begin with the prefix.
    pub(super) async fn read_keys(
        &self,
        store: &Arc<RedisStore>,
        counts_uses: bool,
    ) -> Result<KeySample, Missing> {
        let scan = store.clone().scan();
        let scan = scan.ok_or_else(|| Missing::new("the store lists no keys"))?;
        let (mut keys, mut next) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = scan.page(self.prefix, next.as_ref(), 1_000).await;
            let page = page.map_err(|error| missing(&error))?;
            let found = page.keys.into_iter();
            keys.extend(found.filter(|key| !self.prefix.is_empty() || is_of_larder(key)));
            next = page.next;
            if next.is_none() || keys.len() >= KEYS {
                break;
            }
        }
        keys.truncate(KEYS);
        let mut sample = KeySample {
            keys: keys.len(),
            ..KeySample::default()
        };
        let mut refused = None;
        // One by one, they would take a round trip each.
        for keys in keys.chunks(TOGETHER) {
            let measured = keys.iter().map(|key| self.measure(key, counts_uses));
            for measured in join_all(measured).await {
                match sample.note(measured) {
                    Ok(()) => {}
                    // A key of another app, on a server that they share.
                    Err(error) if is_denied(&error) => {
                        sample.keys -= 1;
                        refused.get_or_insert(error);
                    }
                    Err(error) => return Err(missing(&error)),
                }
            }
        }
        match refused {
            Some(error) if sample.keys == 0 => Err(missing(&error)),
            _ => Ok(sample),
        }
    }

    /// Measures a key. One round trip.
    async fn measure(&self, key: &str, counts_uses: bool) -> Measured {
        let key = key.as_bytes();
        let (ttl, size, uses) = join3(
            self.admin.run_on_key(&[b"PTTL", key], key),
            self.admin.run_on_key(&[b"MEMORY", b"USAGE", key], key),
            async {
                let command: [&[u8]; 3] = [b"OBJECT", b"FREQ", key];
                match counts_uses {
                    true => Some(self.admin.run_on_key(&command, key).await),
                    false => None,
                }
            },
        )
        .await;
        Measured {
            ttl,
            size: size.ok(),
            uses: uses.map(|uses| uses.map_err(|error| missing(&error))),
        }
    }
}

/// A server's answers about one key.
struct Measured {
    ttl: larder_store::Result<Wire>,
    /// None if it may not be read.
    size: Option<Wire>,
    /// None unless the server counts them.
    uses: Option<Result<Wire, Missing>>,
}

impl KeySample {
    fn note(&mut self, measured: Measured) -> larder_store::Result<()> {
        match measured.ttl? {
            Wire::Int(-1) => self.without_ttl += 1,
            // The key has expired since it was listed.
            Wire::Int(-2) => self.keys -= 1,
            _ => {}
        }
        if let Some(Wire::Int(size)) = measured.size {
            self.largest = self.largest.max(u64::try_from(size).ok());
        }
        if let Some(uses) = measured.uses {
            self.note_uses(uses);
        }
        Ok(())
    }

    pub(super) fn note_uses(&mut self, uses: Result<Wire, Missing>) {
        match uses {
            Ok(Wire::Int(uses)) => {
                self.hottest = self.hottest.max(Some(uses.max(0).unsigned_abs()));
            }
            // The key has expired since it was listed.
            Ok(_) => {}
            Err(missing) => {
                self.uses_missing.get_or_insert(missing);
            }
        }
    }
}

async fn run(server: &AdminServer, command: &[&str]) -> Result<Wire, Missing> {
    let command: Vec<_> = command.iter().map(|word| word.as_bytes()).collect();
    server.run(&command).await.map_err(|error| missing(&error))
}

/// Returns why a fact is unknown, without the name of the operation.
fn missing(error: &Error) -> Missing {
    let text = error.to_string();
    let detail = text.splitn(3, ": ").nth(2).unwrap_or(&text);
    match is_denied(error) {
        true => Missing::new(format!("not permitted here: {detail}")),
        false => Missing::new(detail),
    }
}

fn is_denied(error: &Error) -> bool {
    error.kind() == ErrorKind::Refused(Refusal::Denied)
}

fn is_unanswered<T>(answer: &larder_store::Result<T>) -> bool {
    let unavailable = ErrorKind::Refused(Refusal::Unavailable);
    answer
        .as_ref()
        .is_err_and(|error| error.kind() == unavailable)
}

fn unexpected() -> Missing {
    Missing::new("the answer does not have the form of Redis")
}

fn text(answer: Wire) -> Result<String, Missing> {
    let bytes = answer.bytes().map_err(|_| unexpected())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns text, or the texts of a list with spaces between them.
fn flat(answer: &Wire) -> String {
    match answer {
        Wire::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Wire::List(list) => list.iter().map(flat).collect::<Vec<_>>().join(" "),
        Wire::Int(int) => int.to_string(),
        Wire::Nil => String::new(),
    }
}

fn pairs(answer: Wire) -> Result<Vec<(Wire, Wire)>, Missing> {
    answer.pairs().map_err(|_| unexpected())
}

async fn read_fields(server: &AdminServer, command: &[&str]) -> Result<Fields, Missing> {
    Ok(Fields::parse(&text(run(server, command).await?)?))
}

async fn read_config(server: &AdminServer) -> Result<Fields, Missing> {
    let command: Vec<_> = ["CONFIG", "GET"].into_iter().chain(SETTINGS).collect();
    let settings = pairs(run(server, &command).await?)?;
    Ok(Fields::of(
        settings
            .iter()
            .map(|(name, value)| (flat(name), flat(value))),
    ))
}

async fn read_pings(server: &AdminServer) -> Result<Vec<Duration>, Missing> {
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let started = Instant::now();
        run(server, &["PING"]).await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// Returns for how many days the certificate of a server is valid, by our clock.
async fn read_certificate(server: &AdminServer) -> Option<Result<f64, Missing>> {
    let ends = server.certificate_end().await?;
    Some(ends.map_err(|error| missing(&error)).map(|ends| {
        let left = ends.as_micros().saturating_sub(now().as_micros());
        left as f64 / 1e6 / 86_400.0
    }))
}

/// Returns the distance of the clocks, and the server's time in seconds.
async fn read_clock(server: &AdminServer) -> (Result<f64, Missing>, Option<f64>) {
    let before = SystemTime::now();
    let answer = run(server, &["TIME"]).await;
    let ours = before + before.elapsed().unwrap_or_default() / 2;
    let read = answer.and_then(|answer| {
        let (seconds, micros): (i64, i64) = answer.read().map_err(|_| unexpected())?;
        Ok(seconds as f64 + micros as f64 / 1e6)
    });
    match read {
        Ok(theirs) => {
            let ours = ours.duration_since(UNIX_EPOCH).unwrap_or_default();
            (Ok(theirs - ours.as_secs_f64()), Some(theirs))
        }
        Err(missing) => (Err(missing), None),
    }
}

async fn read_slow(server: &AdminServer, now: Option<f64>) -> Result<Vec<SlowCommand>, Missing> {
    let entries = SLOW_ENTRIES.to_string();
    slow_of(run(server, &["SLOWLOG", "GET", &entries]).await?, now)
}

fn slow_of(entries: Wire, now: Option<f64>) -> Result<Vec<SlowCommand>, Missing> {
    let entries = entries.list().map_err(|_| unexpected())?;
    let read = entries.into_iter().map(|entry| {
        let mut fields = entry.list().map_err(|_| unexpected())?.into_iter();
        let mut next = || fields.next().ok_or_else(unexpected);
        next()?;
        let at = next()?.int().map_err(|_| unexpected())?;
        let took = next()?.int().map_err(|_| unexpected())?;
        let name = flat(&next()?);
        let age = now.map_or(0.0, |now| (now - at as f64).max(0.0));
        Ok(SlowCommand {
            // A server may answer anything.
            age: Duration::try_from_secs_f64(age).unwrap_or(Duration::MAX),
            took: Duration::from_micros(took.max(0).unsigned_abs()),
            name: name.split(' ').next().unwrap_or_default().to_uppercase(),
        })
    });
    read.collect()
}

async fn read_events(server: &AdminServer) -> Result<Vec<LatencyEvent>, Missing> {
    let events = run(server, &["LATENCY", "LATEST"]).await?;
    let events = events.list().map_err(|_| unexpected())?;
    let read = events.into_iter().map(|event| {
        let fields = event.list().map_err(|_| unexpected())?;
        let [name, _, _, longest, ..] = fields.as_slice() else {
            return Err(unexpected());
        };
        let longest = longest.int().map_err(|_| unexpected())?;
        Ok(LatencyEvent {
            name: flat(name),
            longest: Duration::from_millis(longest.max(0).unsigned_abs()),
        })
    });
    read.collect()
}

/// Returns the addresses behind the host of a server.
async fn addresses(location: &str) -> Vec<IpAddr> {
    let Some((scheme, host)) = location.split_once("://") else {
        return Vec::new();
    };
    if scheme.contains("unix") {
        return Vec::new();
    }
    // Behind sentinels, the location names the sentinels, which are about as far away as the
    // servers.
    let host = host.split([',', '/', '?']).next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|it| it.is_ascii_digit()) => host.to_owned(),
        _ => format!("{host}:6379"),
    };
    match timeout(Duration::from_secs(1), lookup_host(host)).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_log_of_a_server_that_says_anything_is_read() {
        let words = Wire::List(vec![Wire::Bytes("KEYS".into())]);
        let entry = |at, took| {
            Wire::List(vec![
                Wire::Int(1),
                Wire::Int(at),
                Wire::Int(took),
                words.clone(),
            ])
        };
        let most = 1 << 53;
        let entries = Wire::List(vec![entry(-most, -most), entry(most, most)]);
        let read = slow_of(entries.clone(), Some(f64::MAX)).unwrap();
        assert_eq!((read[0].age, read[0].took), (Duration::MAX, Duration::ZERO));
        let read = slow_of(entries, Some(0.0)).unwrap();
        assert_eq!(read[1].age, Duration::ZERO);
        let short = Wire::List(vec![Wire::List(vec![Wire::Int(1)])]);
        for other in [short, Wire::Nil, Wire::List(vec![Wire::Nil]), Wire::Int(7)] {
            assert!(slow_of(other, None).is_err());
        }
    }
}
