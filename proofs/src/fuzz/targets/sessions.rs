//! Sessions on Redis, and cursors that a client has sent back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use larder_moka::MokaStore;
use larder_session::{Session, SessionKey, SessionLayer, Sessions};
use larder_store::scan::Cursor;
use larder_store::{Key, Put, Store};
use tower::{Layer, ServiceExt, service_fn};

use super::cache::{FILM, HOUR};
use super::server::{Server, TIMEOUT};
use super::{Outcome, Target, reading};
use crate::fuzz::mutate::mutate;

const SEATS: SessionKey<Vec<String>> = SessionKey::new("seats");

/// A visitor who signs in, whose session or list of devices is changed, and who comes back.
pub(super) fn sessions() -> Target {
    let mut server = Server::start();
    let sessions = Sessions::new(server.store.clone()).expect("programs");
    let sessions = sessions.with_store_timeout(TIMEOUT);
    let service = SessionLayer::new(sessions).layer(service_fn(visit));
    let request = |path: &str| Request::get(path).header("host", "cinema.example");
    Box::new(move |random| {
        server.empty();
        let first = request("/sign-in")
            .body(Full::default())
            .expect("a request");
        let first = server.runtime.block_on(service.clone().oneshot(first));
        let Ok(first) = first;
        let cookie = first
            .headers()
            .get(SET_COOKIE)
            .expect("a cookie")
            .as_bytes();
        let cookie = cookie
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        let second = request("/seats").header(COOKIE, cookie);
        let second = second.body(Full::default()).expect("a request");
        server.corrupt(random);
        let began = Instant::now();
        reading(|| {
            let Ok(second) = server.runtime.block_on(service.clone().oneshot(second));
            match second.status() {
                // A program loops, or the connection is broken.
                _ if began.elapsed() >= TIMEOUT => Outcome::Failed,
                StatusCode::OK => Outcome::Value,
                _ => Outcome::Refused,
            }
        })
    })
}

async fn visit(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let session = Session::from_extensions(request.extensions()).expect("a layer");
    let done = match request.uri().path() {
        "/sign-in" => sign_in(&session).await.map(|()| true),
        _ => seats(&session).await,
    };
    let status = match done {
        Ok(true) => StatusCode::OK,
        Ok(false) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let response = Response::builder().status(status).body(Full::default());
    Ok(response.expect("a response"))
}

async fn sign_in(session: &Session) -> larder_session::Result<()> {
    session.log_in("anna").await?;
    session.insert(SEATS, &vec!["7a".to_owned()]).await
}

/// Returns whether the visitor is signed in and has seats.
async fn seats(session: &Session) -> larder_session::Result<bool> {
    let is_signed_in = session.user().await?.is_some();
    let seats = session.get(SEATS).await?;
    session.devices().await?;
    Ok(is_signed_in && seats.is_some())
}

/// The position of a list of keys, which a client may send back as it likes.
pub(super) fn cursors() -> Target {
    let server = Server::start();
    let stores: [Arc<dyn Store>; 2] = [server.store.clone(), Arc::new(MokaStore::new())];
    let cursors = stores.clone().map(|store| {
        server.runtime.block_on(async {
            let puts: Vec<_> = (0..50_u32)
                .map(|film| Put::new(Key::new(FILM, film), "a film", HOUR))
                .collect();
            store.put_many(&puts).await;
            let scan = store.scan().expect("a list of keys");
            let page = scan.page("film:", None, 10).await.expect("a page");
            page.next.expect("there are more").as_str().to_owned()
        })
    });
    Box::new(move |random| {
        let at = random.usize(..stores.len());
        let mut cursor = cursors[at].clone().into_bytes();
        mutate(&mut cursor, 0, random);
        let cursor = Cursor::new(String::from_utf8_lossy(&cursor));
        let scan = stores[at].clone().scan().expect("a list of keys");
        reading(|| {
            let page = scan.page("film:", Some(&cursor), 10);
            match server.runtime.block_on(page) {
                // Somewhere in the list, or at its end.
                Ok(_) => Outcome::Value,
                Err(_) => Outcome::Refused,
            }
        })
    })
}
