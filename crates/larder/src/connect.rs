use std::collections::HashSet;
use std::sync::Arc;

use larder_store::{Error, ErrorKind, MAX_SHARDS, Result, Shard, Sharded, Store};

/// Opens the store at `url`.
///
/// | url | store | feature |
/// |---|---|---|
/// | `memory://` | in this process | `moka` |
/// | `redis://[[user]:password@]host[:port][/database]`, or `valkey://` | one Redis or Valkey server | `redis` |
/// | `unix:///path/to/socket[?user=…&pass=…&db=…]` | the same over a Unix socket | `redis` |
/// | `redis+cluster://[[user]:password@]host[:port],host[:port],…` | Redis Cluster, or Valkey's | `redis` |
/// | `redis+sentinel://[[user]:password@]host[:port],…/master[/database]` | the master that sentinels elect | `redis` |
/// | `redis+shards://[[user]:password@]host[:port],host[:port],…[/database]` | several servers, over which [`Sharded`](larder_store::Sharded) spreads the keys | `redis` |
/// | `rediss://`, `rediss+cluster://`, `rediss+sentinel://`, `rediss+shards://` | the same over TLS | `redis-tls` |
///
/// A scheme may be in capitals too. A user name needs a password part, if only an empty one: `redis://user:@host`. In a
/// user name or a password, write `%`, `#`, `/`, `?`, `@`, `:` and `&` as `%25`, `%23`, `%2F`, `%3F`, `%40`, `%3A` and
/// `%26`.
///
/// `?timeout_ms=250` sets the timeout of each operation on servers. Default: 100 ms.
///
/// There is no fallback: a store that cannot be opened is an error now, not at the first request. If your app
/// shares its server with others, put the store into a [`Prefixed`](larder_store::Prefixed).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// let url = std::env::var("STORE_URL").unwrap_or_else(|_| "memory://".to_owned());
/// # let url = "memory://";
/// let store = larder::connect(&url).await?;
/// println!("storing in {}", store.location());
///
/// let error = larder::connect("memcached://localhost").await.err().unwrap();
/// assert_eq!(
///     error.to_string(),
///     "connect: invalid: unsupported store scheme 'memcached': \
///      expected memory://, redis://, rediss://, unix://, redis+cluster://, redis+sentinel:// or redis+shards://"
/// );
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// - [`ErrorKind::Invalid`] for an unsupported scheme, a backend whose feature is not enabled, a malformed URL, or a
///   server that does not fit it, such as a cluster.
/// - [`ErrorKind::NotSent`] if no server answers within about the connect timeout: 1 s, or `?connect_timeout_ms=`.
/// - [`ErrorKind::Refused`] if a server rejects the login, is not ready, or runs no scripts.
///
/// The text says how to fix it, and never repeats a password.
///
/// # Panics
/// Outside a tokio runtime, for a store on servers.
pub async fn connect(url: &str) -> Result<Arc<dyn Store>> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid(format!(
            "the URL of a store starts with a scheme: {SCHEMES}"
        )));
    };
    match &*scheme.to_ascii_lowercase() {
        "memory" => memory(rest),
        "redis" | "rediss" | "valkey" | "valkeys" | "unix" => redis(url).await,
        other if other.ends_with("+shards") => shards(other, rest).await,
        other if is_redis_with_a_form(other) => redis(url).await,
        _ => Err(invalid(format!(
            "unsupported store scheme '{}': {SCHEMES}",
            printable(scheme)
        ))),
    }
}

const SCHEMES: &str = "expected memory://, redis://, rediss://, unix://, redis+cluster://, \
                       redis+sentinel:// or redis+shards://";

/// Checks at compile time that the future can be spawned.
const _: fn() = || {
    fn can_be_spawned<A, F: Future + Send>(_: impl FnOnce(A) -> F) {}
    can_be_spawned::<&str, _>(connect);
};

/// Returns whether it is a scheme such as `redis+cluster`. The backend checks the part after the plus.
fn is_redis_with_a_form(scheme: &str) -> bool {
    let transport = scheme.split_once('+').map(|(transport, _)| transport);
    matches!(transport, Some("redis" | "rediss" | "valkey" | "valkeys"))
}

fn memory(rest: &str) -> Result<Arc<dyn Store>> {
    if !rest.is_empty() {
        return Err(invalid(
            "memory:// takes nothing after it: set sizes with larder::moka::MokaStore::builder",
        ));
    }
    #[cfg(feature = "moka")]
    return Ok(Arc::new(larder_moka::MokaStore::new()));
    #[cfg(not(feature = "moka"))]
    Err(missing_feature("memory://", "moka"))
}

/// Opens all servers of `rest` at once. The name of a shard is its host and port, as they are written.
async fn shards(scheme: &str, rest: &str) -> Result<Arc<dyn Store>> {
    let transport = scheme.strip_suffix("+shards").unwrap_or(scheme);
    if !matches!(transport, "redis" | "rediss" | "valkey" | "valkeys") {
        return Err(invalid(format!(
            "'{}' is not a scheme of shards: expected redis+shards:// or rediss+shards://",
            printable(scheme)
        )));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (servers, options) = rest.split_at(end);
    let (login, servers) = match servers.rsplit_once('@') {
        Some((login, servers)) => (format!("{login}@"), servers),
        None => (String::new(), servers),
    };
    if servers.split(',').any(str::is_empty) {
        return Err(invalid(
            "a host of the shards is empty: expected redis+shards://host[:port],host[:port]",
        ));
    }
    // Make the port part of the name, so that a URL with the default port names the same shard as one without a port.
    let names = servers
        .split(',')
        .map(|server| match server.rsplit_once(':') {
            Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => server.to_owned(),
            _ => format!("{server}:6379"),
        });
    let names: Vec<_> = names.collect();
    // Before any of them is asked.
    if names.len() > MAX_SHARDS {
        let many = names.len();
        return Err(invalid(format!(
            "{many} shards are named: expected at most {MAX_SHARDS}"
        )));
    }
    if names.iter().collect::<HashSet<_>>().len() < names.len() {
        return Err(invalid(
            "a host of the shards is named twice: name each host and port once",
        ));
    }
    let urls = servers.split(',');
    let urls = urls.map(|server| format!("{transport}://{login}{server}{options}"));
    let stores = redis_each(&urls.collect::<Vec<_>>()).await?;
    let shards = names.into_iter().zip(stores);
    let shards = shards.map(|(name, store)| Shard::new(name, store));
    Ok(Arc::new(Sharded::new(shards)?))
}

/// Opens several stores at once.
#[cfg(feature = "redis")]
async fn redis_each(urls: &[String]) -> Result<Vec<Arc<dyn Store>>> {
    futures_util::future::try_join_all(urls.iter().map(|url| redis(url))).await
}

#[cfg(not(feature = "redis"))]
async fn redis_each(urls: &[String]) -> Result<Vec<Arc<dyn Store>>> {
    // The scheme alone decides which feature is missing.
    redis(&urls.concat()).await.map(|store| vec![store])
}

#[cfg(feature = "redis")]
async fn redis(url: &str) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(larder_redis::RedisStore::connect(url).await?))
}

#[cfg(not(feature = "redis"))]
async fn redis(url: &str) -> Result<Arc<dyn Store>> {
    // TLS has a feature of its own, which includes `redis`: name that one at once.
    let url = url.to_ascii_lowercase();
    match url.starts_with("rediss") || url.starts_with("valkeys") {
        true => Err(missing_feature("rediss://", "redis-tls")),
        false => Err(missing_feature("redis:// and unix://", "redis")),
    }
}

#[cfg(any(not(feature = "moka"), not(feature = "redis")))]
fn missing_feature(what: &str, feature: &str) -> Error {
    invalid(format!(
        "{what} stores need the feature '{feature}', which is not compiled in: \
         add features = [\"{feature}\"] to larder in Cargo.toml"
    ))
}

/// Returns the scheme for an error text, or `…` if it may be a secret.
fn printable(scheme: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.len() <= 20 && scheme.chars().all(plain) {
        scheme
    } else {
        "…"
    }
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new("connect", ErrorKind::Invalid, detail)
}

/// `./scripts/test` runs these without any feature.
#[cfg(all(test, not(feature = "moka"), not(feature = "redis")))]
mod without_backends {
    use super::*;

    #[tokio::test]
    async fn a_backend_that_is_not_compiled_in_is_an_error_that_names_its_feature() {
        for (url, feature) in [
            ("memory://", "moka"),
            ("redis://user:hunter2@127.0.0.1:6379", "redis"),
            ("unix:///run/redis.sock", "redis"),
            ("redis+shards://a,b", "redis"),
            ("Memory://", "moka"),
            ("REDISS://h", "redis-tls"),
            ("rediss://127.0.0.1:6379", "redis-tls"),
            ("rediss+cluster://a,b", "redis-tls"),
            ("valkeys+shards://a,b", "redis-tls"),
        ] {
            let error = connect(url).await.err().expect("no backend is compiled in");
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let text = error.to_string();
            let fix = format!("add features = [\"{feature}\"] to larder in Cargo.toml");
            assert!(text.ends_with(&fix), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
