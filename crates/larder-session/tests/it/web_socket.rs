//! What ends a WebSocket.

use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::routing::get;
use futures_util::StreamExt;
use http::{StatusCode, header};
use larder_session::{RequireUser, Session, SessionLayer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Browser, NAME, on_both_stores};

/// Sends nothing, and closes with the reason when the session ends.
async fn socket(_: RequireUser, session: Session, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        let reason = format!("{:?}", session.revoked().await.unwrap());
        let (code, reason) = (close_code::POLICY, reason.into());
        let close = Message::Close(Some(CloseFrame { code, reason }));
        socket.send(close).await.unwrap();
    })
}

/// Opens a WebSocket with the cookie of `browser`.
async fn open(port: u16, browser: &Browser) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://127.0.0.1:{port}/").into_client_request()?;
    if let Some(cookie) = browser.cookie() {
        let cookie = format!("{NAME}={cookie}").parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    Ok(client_async(request, stream).await?.0)
}

on_both_stores! { Real;
    async fn a_web_socket_closes_when_its_session_is_revoked_in_another_process(world: World) {
        // An interval that no test waits for: the message ends the socket.
        let sessions = world.sessions().with_watch_interval(Duration::from_secs(3600));
        let app = Router::new().route("/", get(socket)).layer(SessionLayer::new(sessions));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(axum::serve(listener, app).into_future());

        let site = world.site();
        let (ada, grace) = tokio::join!(
            Browser::signed_in(&site, "ada"),
            Browser::signed_in(&site, "grace"),
        );
        let mut socket = open(port, &ada).await.unwrap();
        let mut other = open(port, &grace).await.unwrap();
        world.sessions().revoke_all("ada").await.unwrap();
        let closed = timeout(Duration::from_secs(20), socket.next()).await.unwrap();
        let Some(Ok(tungstenite::Message::Close(Some(close)))) = closed else {
            panic!("{closed:?}")
        };
        assert_eq!(close.reason, "Administrator");
        assert!(timeout(Duration::from_millis(100), other.next()).await.is_err());

        // Neither a dead cookie nor none opens another one.
        for browser in [ada, Browser::new()] {
            let Err(Error::Http(refused)) = open(port, &browser).await else {
                panic!("a socket without a user");
            };
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        }
    }
}
