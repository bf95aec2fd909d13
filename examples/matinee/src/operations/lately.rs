//! Remembers who was admitted, for the time in which the store fails.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use larder::session::Session;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The most sessions that are remembered. Beyond that, the one that would end first is forgotten.
const SESSIONS: usize = 100;

/// The sessions that were admitted recently: only in this process, and until their sign-in is too old.
///
/// A session that ends, in any process, is forgotten as soon as this process learns of it.
pub(super) struct Lately {
    cookie: &'static str,
    /// It hashes with random keys: a hash is not a cookie, and no cookie can be computed from it.
    hasher: RandomState,
    known: Mutex<HashMap<u64, Known>>,
}

struct Known {
    admin: i64,
    ends: Instant,
    /// Ends the task that waits for the end of the session.
    _watch: DropGuard,
}

impl Lately {
    /// Starts empty. A session is identified by the cookie with this name.
    pub(super) fn new(cookie: &'static str) -> Self {
        Self {
            cookie,
            hasher: RandomState::new(),
            known: Mutex::default(),
        }
    }

    /// Remembers a session, at most for as long as its sign-in is recent.
    pub(super) fn note(
        self: &Arc<Self>,
        headers: &HeaderMap,
        admin: i64,
        session: Session,
        left: Duration,
    ) {
        let Some(key) = self.key(headers) else {
            return;
        };
        let ends = Instant::now() + left;
        let stop = CancellationToken::new();
        let mut known = self.lock();
        known.retain(|_, known| known.ends > Instant::now());
        if known.contains_key(&key) {
            return;
        }
        if known.len() >= SESSIONS {
            let first = known.iter().min_by_key(|(_, known)| known.ends);
            if let Some(first) = first.map(|(key, _)| *key) {
                known.remove(&first);
            }
        }
        let noted = Known {
            admin,
            ends,
            _watch: stop.clone().drop_guard(),
        };
        known.insert(key, noted);
        drop(known);
        let lately = self.clone();
        tokio::spawn(async move {
            let ended = timeout(left, session.revoked());
            // It has ended, or its sign-in is too old by now.
            if stop.run_until_cancelled(ended).await.is_some() {
                lately.lock().remove(&key);
            }
        });
    }

    /// Returns the administrator of a session that was admitted recently.
    pub(super) fn find(&self, headers: &HeaderMap) -> Option<i64> {
        let key = self.key(headers)?;
        let known = self.lock();
        let known = known.get(&key)?;
        (known.ends > Instant::now()).then_some(known.admin)
    }

    /// Forgets a session, because it was refused.
    pub(super) fn forget(&self, headers: &HeaderMap) {
        if let Some(key) = self.key(headers) {
            self.lock().remove(&key);
        }
    }

    /// Returns a hash of the session's cookie. A browser may send several cookies with one name.
    fn key(&self, headers: &HeaderMap) -> Option<u64> {
        let fields = headers.get_all(COOKIE).iter();
        let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
        let tokens: Vec<_> = pairs
            .filter_map(|pair| {
                let at = pair.iter().position(|byte| *byte == b'=')?;
                let (name, value) = (&pair[..at], &pair[at + 1..]);
                (name.trim_ascii() == self.cookie.as_bytes()).then(|| value.trim_ascii())
            })
            .collect();
        (!tokens.is_empty()).then(|| self.hasher.hash_one(tokens))
    }

    /// Locks, and ignores poison: the content is consistent at every moment.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use axum::routing::get;
    use axum::{Extension, Router};
    use larder::moka::MokaStore;
    use larder::session::{SessionLayer, Sessions};
    use tokio::time::{advance, sleep};
    use tower::ServiceExt;

    use super::*;

    const ADMIN: i64 = 3;
    const LEFT: Duration = Duration::from_secs(600);

    fn lately() -> Arc<Lately> {
        Arc::new(Lately::new("matinee-session"))
    }

    fn cookies(fields: &[&str]) -> HeaderMap {
        let fields = fields.iter().map(|field| (COOKIE, field.parse().unwrap()));
        fields.collect()
    }

    /// The sessions of a store, and one of them that is signed in.
    async fn signed_in() -> (Sessions, Session) {
        let sessions = Sessions::new(Arc::new(MokaStore::new())).unwrap();
        let sign_in = async |session: Session| {
            session.log_in(ADMIN.to_string()).await.unwrap();
            Extension(session)
        };
        let app = Router::new()
            .route("/", get(sign_in))
            .layer(SessionLayer::new(sessions.clone()));
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        let session = response.extensions().get::<Session>().unwrap();
        (sessions, session.clone())
    }

    #[tokio::test]
    async fn a_session_is_known_by_its_own_cookie_alone() {
        let (lately, (_, session)) = (lately(), signed_in().await);
        let noted = cookies(&["theme=dark; matinee-session=a"]);
        lately.note(&noted, ADMIN, session, LEFT);
        for (fields, found) in [
            (&["matinee-session=a"][..], Some(ADMIN)),
            (&["matinee-session=a; theme=light; n=1"], Some(ADMIN)),
            (&["n=2", " matinee-session = a "], Some(ADMIN)),
            (&["theme=dark; matinee-session=b"], None),
            (&["theme=dark; other-matinee-session=a"], None),
            (&["theme=dark"], None),
            (&[], None),
        ] {
            assert_eq!(lately.find(&cookies(fields)), found, "{fields:?}");
        }
        lately.forget(&cookies(&["matinee-session=a; n=3"]));
        assert_eq!(lately.find(&noted), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_visit_does_not_prolong_a_sign_in() {
        let (lately, (_, session)) = (lately(), signed_in().await);
        let cookies = cookies(&["matinee-session=a"]);
        lately.note(&cookies, ADMIN, session.clone(), LEFT);
        advance(LEFT - Duration::from_millis(10)).await;
        assert_eq!(lately.find(&cookies), Some(ADMIN));
        lately.note(&cookies, ADMIN, session, LEFT);
        advance(Duration::from_millis(10)).await;
        assert_eq!(lately.find(&cookies), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_ends_is_forgotten_before_anyone_comes_with_it() {
        let (lately, (sessions, session)) = (lately(), signed_in().await);
        let cookies = cookies(&["matinee-session=a"]);
        lately.note(&cookies, ADMIN, session, LEFT);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(lately.find(&cookies), Some(ADMIN));
        sessions.revoke_all(&ADMIN.to_string()).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        assert_eq!(lately.find(&cookies), None);
    }

    #[tokio::test]
    async fn beyond_the_cap_the_session_that_would_end_first_is_forgotten() {
        let (lately, (_, session)) = (lately(), signed_in().await);
        let of = |number: usize| cookies(&[&format!("matinee-session={number}")]);
        for number in 0..=SESSIONS {
            // The second one ends first.
            let left = if number == 1 { LEFT / 2 } else { LEFT };
            lately.note(&of(number), ADMIN, session.clone(), left);
        }
        assert_eq!(lately.lock().len(), SESSIONS);
        let forgotten = (0..=SESSIONS).filter(|number| lately.find(&of(*number)).is_none());
        assert_eq!(forgotten.collect::<Vec<_>>(), [1]);
    }
}
