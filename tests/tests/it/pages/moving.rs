//! The programs of `docs/migrate/tower-sessions.md`, before and after, played side by side.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use larder_moka::MokaStore;
use larder_store::Store;
use larder_test::server::RedisServer;
use larder_tower_sessions::LarderStore;
use tower::ServiceExt;

use super::{larder_session, tower_sessions};
use larder_worlds::patient;

/// A browser with one cookie.
#[derive(Default)]
struct Browser(Option<String>);

impl Browser {
    async fn ask(&mut self, app: &Router, method: Method, path: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::ACCEPT, "text/html");
        let request = request.header(header::COOKIE, self.0.clone().unwrap_or_default());
        let request = request.body(Body::empty()).expect("a request");
        let response = app.clone().oneshot(request).await.expect("no error");
        if let Some(set) = response.headers().get(header::SET_COOKIE) {
            let set = set.to_str().expect("text");
            let removed = set.contains("Max-Age=0");
            self.0 = (!removed).then(|| set.split(';').next().unwrap_or_default().to_owned());
        }
        let status = response.status();
        let location = response.headers().get(header::LOCATION).cloned();
        let body = response.into_body().collect().await.expect("a body");
        let text = location.map_or(body.to_bytes(), |to| to.as_bytes().to_vec().into());
        (status, String::from_utf8_lossy(&text).into_owned())
    }
}

async fn stores() -> (RedisServer, [Arc<dyn Store>; 2]) {
    let server = RedisServer::start().expect("a redis-server");
    let redis = patient(&server.url()).connect().await.expect("connected");
    (server, [Arc::new(MokaStore::new()), Arc::new(redis)])
}

#[tokio::test]
async fn an_app_with_axum_login_and_one_with_larder_session_answer_alike_on_the_same_store() {
    let (_server, stores) = stores().await;
    for store in stores {
        let before = tower_sessions::app(LarderStore::new(store.clone()));
        let after = larder_session::app(store).expect("it runs programs");
        for app in [before, after] {
            let mut browser = Browser::default();
            let (get, post) = (Method::GET, Method::POST);
            let away = (StatusCode::SEE_OTHER, "/sign-in?next=%2Faccount");
            for (method, path, (status, text)) in [
                (&get, "/", (StatusCode::OK, "visit 1")),
                (&get, "/account", away),
                (&post, "/sign-in", (StatusCode::OK, "welcome")),
                (&get, "/", (StatusCode::OK, "visit 2")),
                (&get, "/account", (StatusCode::OK, "your account, ada")),
                (&post, "/sign-out", (StatusCode::OK, "bye")),
                (&get, "/account", away),
                (&get, "/", (StatusCode::OK, "visit 1")),
            ] {
                let (answered, body) = browser.ask(&app, method.clone(), path).await;
                // axum-login redirects with 307.
                let answered = match answered {
                    StatusCode::TEMPORARY_REDIRECT => StatusCode::SEE_OTHER,
                    other => other,
                };
                assert_eq!((answered, &*body), (status, text), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn moving_to_larder_session_signs_everybody_out_once_and_loses_no_visitor() {
    let (_server, stores) = stores().await;
    for store in stores {
        let before = tower_sessions::app(LarderStore::new(store.clone()));
        let after = larder_session::app(store).expect("it runs programs");
        let mut browser = Browser::default();
        browser.ask(&before, Method::POST, "/sign-in").await;
        // The cookie has another name: it is neither read nor an error.
        let (status, _) = browser.ask(&after, Method::GET, "/account").await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        browser.ask(&after, Method::POST, "/sign-in").await;
        let (_, body) = browser.ask(&after, Method::GET, "/account").await;
        assert_eq!(body, "your account, ada");
    }
}
