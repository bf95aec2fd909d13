//! The programs of `docs/migrate/tower-sessions.md`, before and after, played side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use larder_moka::MokaStore;
use larder_store::Store;
use larder_test::server::RedisServer;
use larder_tower_sessions::LarderStore;
use larder_worlds::patient;
use tower::ServiceExt;

use super::{both_sessions, larder_session, tower_sessions};

/// A browser, with its cookies by their names.
#[derive(Clone, Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    async fn ask(&mut self, app: &Router, method: Method, path: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::ACCEPT, "text/html");
        let cookies = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let request = request.header(header::COOKIE, cookies);
        let request = request.body(Body::empty()).expect("a request");
        let response = app.clone().oneshot(request).await.expect("no error");
        for set in response.headers().get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("text");
            let cookie = set.split(';').next().expect("a first part");
            let (name, value) = cookie.split_once('=').expect("a name and a value");
            match set.contains("Max-Age=0") {
                true => self.0.remove(name),
                false => self.0.insert(name.to_owned(), value.to_owned()),
            };
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

#[tokio::test]
async fn behind_both_layers_nobody_is_signed_out_and_the_old_session_ends() {
    let (_server, stores) = stores().await;
    for store in stores {
        let old = LarderStore::new(store.clone());
        let before = tower_sessions::app(old.clone());
        let both = both_sessions::app(store.clone(), old).expect("it runs programs");
        let mut browser = Browser::default();
        browser.ask(&before, Method::POST, "/sign-in").await;
        let mut left_behind = browser.clone();
        let (_, body) = browser.ask(&both, Method::GET, "/account").await;
        assert_eq!(body, "your account, ada");

        // The old session has ended; the new one is enough by itself.
        let (status, _) = left_behind.ask(&before, Method::GET, "/account").await;
        assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
        let after = larder_session::app(store).expect("it runs programs");
        let (_, body) = browser.ask(&after, Method::GET, "/account").await;
        assert_eq!(body, "your account, ada");

        // A sign-out stays one, though the old layer is there.
        browser.ask(&both, Method::POST, "/sign-out").await;
        let (status, _) = browser.ask(&both, Method::GET, "/account").await;
        assert_eq!(status, StatusCode::SEE_OTHER);
    }
}
