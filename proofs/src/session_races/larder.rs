//! Sessions of larder, through HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use http_body_util::Full;
use larder_session::{Result, Session, SessionKey, SessionLayer, Sessions};
use larder_store::Store;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

use super::keeper::{Act, FIELDS, Keeper, Reply, wait};

type Answered = Response<larder_session::ResponseBody<Full<Bytes>>>;

/// A service behind the session layer, as browsers see it.
pub struct Larder {
    sessions: Sessions,
    service: BoxCloneSyncService<Request<Full<Bytes>>, Answered, Infallible>,
}

impl Larder {
    /// Makes an instance on a store.
    ///
    /// # Panics
    /// If the store runs no programs.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let sessions = Sessions::new(store).expect("programs");
        let sessions = sessions.with_store_timeout(Duration::from_secs(30));
        let service = SessionLayer::new(sessions.clone()).layer(service_fn(page));
        Self {
            sessions,
            service: BoxCloneSyncService::new(service),
        }
    }
}

#[async_trait]
impl Keeper for Larder {
    async fn answer(&self, cookie: Option<String>, act: Act, pause: u8) -> Reply {
        let mut request = Request::new(Full::default());
        if let Some(cookie) = &cookie {
            let cookie = cookie.parse().expect("a cookie");
            request.headers_mut().insert(COOKIE, cookie);
        }
        request.extensions_mut().insert((act, pause));
        let Ok(response) = self.service.clone().oneshot(request).await;
        assert!(response.status().is_success(), "{}", response.status());
        let mut reply = Reply {
            cookie,
            ..response.extensions().get().cloned().unwrap_or_default()
        };
        for set in response.headers().get_all(SET_COOKIE) {
            let (pair, attributes) = set
                .to_str()
                .ok()
                .and_then(|set| set.split_once(';'))
                .expect("a cookie");
            let is_removed = attributes.contains("Max-Age=0");
            reply.cookie = (!is_removed).then(|| pair.to_owned());
        }
        reply
    }

    async fn revoke_all(&self, user: &str) {
        self.sessions
            .revoke_all(user)
            .await
            .expect("the store answers");
    }

    async fn disable(&self, user: &str) {
        self.sessions
            .disable(user)
            .await
            .expect("the store answers");
    }

    async fn revoke_everyone(&self) {
        self.sessions
            .revoke_everyone()
            .await
            .expect("the store answers");
    }
}

async fn page(
    request: Request<Full<Bytes>>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let session = Session::from_extensions(request.extensions()).expect("a layer");
    let (act, pause) = request.extensions().get::<(Act, u8)>().expect("an act");
    let seen = look(&session).await.expect("the store answers");
    wait(*pause).await;
    // A request whose session ended meanwhile does nothing, and an account may be disabled.
    let _ = run(&session, act).await;
    let mut response = Response::new(Full::default());
    response.extensions_mut().insert(seen);
    Ok(response)
}

async fn look(session: &Session) -> Result<Reply> {
    let mut seen = Reply {
        user: session.user().await?.map(|user| user.as_str().to_owned()),
        ..Reply::default()
    };
    for field in FIELDS {
        if let Some(value) = session.get(key(field)).await? {
            seen.fields.insert(field, value);
        }
    }
    Ok(seen)
}

async fn run(session: &Session, act: &Act) -> Result<()> {
    match act {
        Act::SignIn(user) => session.log_in(user.clone()).await,
        Act::Write(field, value) => session.insert(key(field), value).await,
        Act::Read => Ok(()),
        Act::Rotate => session.rotate().await,
        Act::SignOut => session.log_out().await,
    }
}

fn key(field: &'static str) -> SessionKey<String> {
    SessionKey::new(field)
}
