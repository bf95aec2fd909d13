use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join;
use larder_store::{Key, Kind, Put, PutOutcome, Result, Store, Ttl};
use rand::Rng;
use subtle::ConstantTimeEq;

use super::guard::Operator;

const TOKEN: Kind = Kind::pinned("ops-token").with_consistent_reads();
/// The random bytes in a token.
const BYTES: usize = 32;
/// Older forms are refused, and the page must be reloaded.
const TTL: Ttl = Ttl::from_secs(12 * 3600);
/// The token of a page that is opened now is accepted for at least this long.
const AT_LEAST: Ttl = Ttl::from_secs(6 * 3600);

/// The tokens of forms: one for each operator, in the store, so that every process knows it.
pub(super) struct Tokens {
    store: Arc<dyn Store>,
}

impl Tokens {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Returns the token of an operator, and makes it if there is none. One round trip, sometimes two or three.
    pub(super) async fn of(&self, operator: &Operator) -> Result<String> {
        let key = Key::new(TOKEN, operator.name());
        let (entry, ttl) = join(self.store.get(&key), self.store.ttl(&key)).await;
        let entry = entry?;
        if let Some(token) = entry.as_ref().and_then(|entry| token_in(&entry.value)) {
            if ttl?.is_some_and(|ttl| ttl < AT_LEAST) {
                let _ = self.store.expire(&key, TTL).await?;
            }
            return Ok(token.to_owned());
        }
        let token = URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; BYTES]>());
        let mut put = Put::new(key.clone(), token.clone(), TTL);
        if entry.is_none() {
            put = put.if_absent();
        }
        if let PutOutcome::Stored = self.store.put(&put).await? {
            return Ok(token);
        }
        // Another request was first.
        let entry = self.store.get(&key).await?;
        let first = entry.as_ref().and_then(|entry| token_in(&entry.value));
        Ok(first.map_or(token, str::to_owned))
    }

    /// Returns whether a form has the token of its operator. One round trip.
    pub(super) async fn is_of(&self, operator: &Operator, given: &str) -> Result<bool> {
        let entry = self.store.get(&Key::new(TOKEN, operator.name())).await?;
        let token = entry.as_ref().and_then(|entry| token_in(&entry.value));
        Ok(token.is_some_and(|token| token.as_bytes().ct_eq(given.as_bytes()).into()))
    }
}

/// Returns the token in a stored value. Damaged values are not tokens, and are replaced.
fn token_in(value: &[u8]) -> Option<&str> {
    let mut bytes = [0; BYTES];
    let length = URL_SAFE_NO_PAD.decode_slice(value, &mut bytes).ok()?;
    std::str::from_utf8(value).ok().filter(|_| length == BYTES)
}

/// Returns whether a form was sent from a page of this site, by the headers that pages cannot set.
///
/// `host` is the host of the request. A client that sends neither header is not a browser: the token decides.
pub(super) fn is_same_site(headers: &HeaderMap, host: Option<&str>) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().ok();
    let origin = origin.and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, from)| host.is_some_and(|host| host.eq_ignore_ascii_case(from)))
}

#[cfg(test)]
mod tests {
    use larder_moka::MokaStore;
    use larder_store::ManualClock;
    use larder_test::{Lagging, ModelStore};

    use super::*;

    #[tokio::test]
    async fn a_form_is_accepted_for_hours_whenever_its_page_was_opened() {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(clock.clone()).build();
        let tokens = Tokens::new(Arc::new(store));
        let root = Operator::new("root");
        let hours = |hours: u64| std::time::Duration::from_secs(hours * 3600);
        let first = tokens.of(&root).await.unwrap();
        clock.advance(hours(11));
        let opened = tokens.of(&root).await.unwrap();
        assert_eq!(first, opened, "pages that are open stay usable");
        clock.advance(hours(5));
        assert!(tokens.is_of(&root, &opened).await.unwrap());
        clock.advance(hours(8));
        assert!(!tokens.is_of(&root, &opened).await.unwrap());
    }

    #[tokio::test]
    async fn a_form_is_accepted_by_a_process_that_reads_copies() {
        let model = Arc::new(ModelStore::new());
        let lagging = Arc::new(Lagging::new(model.clone()));
        let root = Operator::new("root");
        lagging.freeze();
        let token = Tokens::new(model).of(&root).await.unwrap();
        assert!(Tokens::new(lagging).is_of(&root, &token).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_no_token_is_accepted_from_nobody_and_is_replaced() {
        let store = Arc::new(MokaStore::new());
        let tokens = Tokens::new(store.clone());
        let root = Operator::new("root");
        for damaged in ["", "short", "\u{fffd}", &"!".repeat(43)] {
            let put = Put::new(Key::new(TOKEN, root.name()), damaged.to_owned(), TTL);
            assert!(store.put(&put).await.unwrap().is_stored());
            assert!(!tokens.is_of(&root, damaged).await.unwrap(), "{damaged}");
            let token = tokens.of(&root).await.unwrap();
            assert_ne!(token, damaged);
            assert!(tokens.is_of(&root, &token).await.unwrap());
        }
    }

    #[test]
    fn a_form_comes_from_this_site_or_from_no_browser() {
        let is_same = |pairs: &[(&'static str, &str)], host: Option<&str>| {
            let pairs = pairs.iter().map(|(name, value)| {
                let name = axum::http::HeaderName::from_static(name);
                (name, value.parse().unwrap())
            });
            is_same_site(&pairs.collect(), host)
        };
        let host = Some("a.example:3000");
        assert!(is_same(&[("sec-fetch-site", "same-origin")], host));
        assert!(is_same(&[("origin", "https://A.example:3000")], host));
        assert!(is_same(&[], host));
        assert!(!is_same(&[("origin", "https://a.example:3000")], None));
        for wrong in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "https://b.example")],
            &[("origin", "https://a.example")],
            // The first header is the more reliable one.
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://a.example:3000"),
            ],
        ] {
            assert!(!is_same(wrong, host), "{wrong:?}");
        }
    }
}
