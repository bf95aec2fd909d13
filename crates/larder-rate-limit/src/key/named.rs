use std::net::IpAddr;

use http::HeaderName;
use larder_store::program::Record;
use larder_store::{Key, Kind};

use super::Network;
use crate::{Tat, Usage};

/// The records that a policy may keep for a visitor whom a person names.
///
/// A person names a visitor by a whole key, by the id in one, such as `pages:ip:192.0.2.1`, or only by an address,
/// a user, the app's own id, or a header as in `x-api-key:4711`. [`KeyBy`](super::KeyBy) puts the source in front
/// of these, so several records are possible, of which a visitor usually has one.
///
/// ```
/// use larder_rate_limit::{NamedVisitor, RateLimiter};
/// # fn of(limiter: RateLimiter) {
/// let named = NamedVisitor::new("pages", "ann").unwrap();
/// assert!(named.quotas().contains(&limiter.key(("user", "ann"))));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct NamedVisitor {
    quotas: Vec<Key>,
    usages: Vec<Key>,
}

impl NamedVisitor {
    /// Finds the records of a visitor of `policy`. None if `text` is a whole key of another policy.
    ///
    /// Visitors with a compound key, or an address with another prefix length, are found only by their ids.
    pub fn new(policy: &str, text: &str) -> Option<Self> {
        let whole = Key::parse(text, &[Tat::KIND, Usage::KIND]).map(Key::without_part);
        let Ok(key) = whole else {
            return Some(Self {
                quotas: keys(Tat::KIND, policy, text),
                usages: keys(Usage::KIND, policy, text),
            });
        };
        let is_quota = key.kind() == Tat::KIND;
        (key.partition() == Some(policy)).then(|| Self {
            quotas: if is_quota {
                vec![key.clone()]
            } else {
                Vec::new()
            },
            usages: if is_quota { Vec::new() } else { vec![key] },
        })
    }

    /// Returns the keys of the records of a single quota.
    pub fn quotas(&self) -> &[Key] {
        &self.quotas
    }

    /// Returns the keys of the records of several rules.
    pub fn usages(&self) -> &[Key] {
        &self.usages
    }
}

fn keys(kind: Kind, policy: &str, text: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let mut add = |key: Key| {
        if !keys.contains(&key) {
            keys.push(key);
        }
    };
    add(Key::new(kind, (policy, text)));
    for source in ["user", "own"] {
        add(Key::new(kind, (policy, source, text)));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let network = Network::of(address);
        add(Key::new(kind, (policy, "ip", network)));
        add(Key::new(kind, (policy, network)));
        add(Key::new(kind, (policy, address)));
    }
    let id = Key::parse(&format!("{}:{{{text}}}", kind.name()), &[kind]);
    let id = id.ok().map(Key::without_part);
    match id.filter(|key| key.partition() == Some(policy)) {
        Some(key) => add(key),
        None => {
            if let Some((name, value)) = header(text) {
                add(Key::new(kind, (policy, "header", name.as_str(), value)));
            }
        }
    }
    keys
}

/// Reads a header's name and value, as in `X-Api-Key: 4711`. None for anything else, such as an IPv6 address.
fn header(text: &str) -> Option<(HeaderName, &str)> {
    let (name, value) = text.split_once(':')?;
    let name = name.parse().ok()?;
    text.parse::<IpAddr>()
        .is_err()
        .then(|| (name, value.trim()))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use http::Request;
    use larder_moka::MokaStore;

    use super::super::{KeyBy, PeerAddr};
    use super::*;
    use crate::{Policy, Quota, RateLimiter};

    fn limiters() -> [RateLimiter; 2] {
        let store = Arc::new(MokaStore::new());
        let of = |policy: Policy| RateLimiter::new(store.clone(), "pages", policy).unwrap();
        let quota = Quota::per_hour(9);
        [
            of(quota.into()),
            of(Policy::new(quota).and(Quota::per_day(99))),
        ]
    }

    fn is_named(key: &Key, text: &str) -> bool {
        let named = NamedVisitor::new("pages", text).unwrap();
        named
            .quotas()
            .iter()
            .chain(named.usages())
            .any(|it| it == key)
    }

    #[tokio::test]
    async fn a_visitor_of_a_layer_is_found_by_what_a_person_knows_of_it() {
        let header = HeaderName::from_static("x-api-key");
        for limiter in limiters() {
            for (key_by, peer, text) in [
                (KeyBy::peer(), "192.0.2.1:9", "192.0.2.1"),
                (KeyBy::peer(), "[2001:db8::1:2:3:4]:9", "2001:db8::4:3:2:1"),
                (
                    KeyBy::header(header.clone()),
                    "192.0.2.1:9",
                    "x-api-key:a:b*",
                ),
                (
                    KeyBy::header(header.clone()),
                    "192.0.2.1:9",
                    "X-Api-Key: a:b*",
                ),
                (KeyBy::from_fn(|_| Some(7_u64)), "192.0.2.1:9", "7"),
                (KeyBy::everybody(), "192.0.2.1:9", "everybody"),
            ] {
                let peer: SocketAddr = peer.parse().unwrap();
                let request = Request::builder()
                    .header(&header, "a:b*")
                    .extension(PeerAddr(peer));
                let (parts, ()) = request.body(()).unwrap().into_parts();
                let key = key_by.key(&limiter, &parts).await.unwrap();
                assert!(is_named(&key, text), "{} {text}", key.as_str());
                let (_, id) = key.as_str().split_once('{').unwrap();
                assert!(is_named(&key, id.trim_end_matches('}')), "{id}");
                assert!(is_named(&key, key.as_str()));
            }
            for key in [limiter.key(("user", "ann")), limiter.key("ann")] {
                assert!(is_named(&key, "ann"), "{}", key.as_str());
            }
        }
    }

    #[test]
    fn a_name_stands_for_a_header_only_if_it_names_one() {
        for (text, is_header) in [
            ("x-api-key:4711", true),
            ("4711", false),
            ("2001:db8::1", false),
            ("not a name:4711", false),
            ("pages:ip:192.0.2.1", false),
        ] {
            let named = NamedVisitor::new("pages", text).unwrap();
            let mut keys = named.quotas().iter().chain(named.usages());
            let has_header = keys.any(|key| key.as_str().contains(":header:"));
            assert_eq!(has_header, is_header, "{text}");
        }
    }

    #[test]
    fn a_whole_key_names_one_record_of_its_own_policy() {
        let [quota, usage] = limiters();
        let long = "x".repeat(10_240);
        for id in ["ann", "a\u{1b}[2J}{*", &long] {
            let (one, other) = (quota.key(id), usage.key(id));
            let named = NamedVisitor::new("pages", one.as_str()).unwrap();
            assert_eq!(
                (named.quotas(), named.usages()),
                (&[one.clone()][..], &[][..])
            );
            let named = NamedVisitor::new("pages", other.as_str()).unwrap();
            assert_eq!((named.quotas(), named.usages()), (&[][..], &[other][..]));
            assert!(NamedVisitor::new("page", one.as_str()).is_none());
            assert!(is_named(&one, id));
        }
    }
}
