//! An app with something in each view, and the page about it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::BodyExt;
use larder_moka::MokaStore;
use larder_ops::doctor::{Doctor, Uses};
use larder_ops::page::{Figures, Operator, OpsPage};
use larder_queue::{Job, NewJob, Queue};
use larder_redis::RedisStore;
use larder_session::{Session, SessionLayer, Sessions};
use larder_store::{Namespace, Prefixed, Store};
use larder_structures::lock::{Lock, LockGuard};
use larder_test::server::RedisServer;
use metrics::{NoopRecorder, counter, gauge, histogram};
use serde::{Deserialize, Serialize};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::connect;

#[derive(Serialize, Deserialize)]
struct Mail {
    to: String,
}

impl Job for Mail {
    const NAME: &'static str = "mail";
}

/// The page of an app, and what the tests look at beside it.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: Queue,
    pub(crate) sessions: Sessions,
    pub(crate) lock: LockGuard,
    pub(crate) server: Option<RedisServer>,
}

/// What the page answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// The store of an app: in its namespace, in process or on a server.
pub(crate) type Stores = (Arc<dyn Store>, Option<Arc<RedisStore>>, Option<RedisServer>);

/// A store in process.
pub(crate) fn in_process() -> Stores {
    (Arc::new(MokaStore::new()), None, None)
}

/// A store on a server of its own, in a namespace.
pub(crate) async fn on_a_server() -> Stores {
    let server = RedisServer::start().unwrap();
    let redis = connect(&server.url()).await;
    let namespace = Namespace::new("prod", "app").unwrap();
    let store = Arc::new(Prefixed::new(namespace, redis.clone()));
    (store, Some(redis), Some(server))
}

/// Makes an app and its page. Figures are added by `count`.
pub(crate) async fn world_of(
    (store, redis, server): Stores,
    set: impl FnOnce(OpsPage) -> OpsPage,
    count: impl FnOnce(),
) -> World {
    let figures = Figures::new();
    metrics::with_local_recorder(&figures.recorder(NoopRecorder), count);
    let page = OpsPage::new(store.clone())
        .with_title("Cinema")
        .with_figures(figures);
    let page = match redis {
        Some(redis) => {
            let doctor = Doctor::new(Uses::ALL).with_interval(Duration::from_millis(10));
            page.with_redis(redis)
                .with_doctor(doctor.with_prefix("prod:app:"))
        }
        None => page,
    };
    let page = set(page).build(guard).unwrap();

    let queue = Queue::new(store.clone(), "mail").unwrap();
    for _ in 0..3 {
        let to = "hunter2@example.org".to_owned();
        let _ = queue.enqueue(NewJob::new(&Mail { to })).await.unwrap();
    }
    for delivery in queue.dequeue(2).await.unwrap() {
        let _ = queue
            .reject(delivery.receipt(), "no mailbox")
            .await
            .unwrap();
    }
    let lock = Lock::new(store.clone(), "season").unwrap();
    let lock = lock.try_lock().await.unwrap().unwrap();
    for user in ["ann", "ann", "bob"] {
        sign_in(&store, user).await;
    }
    World {
        router: Router::new().nest("/ops", page),
        sessions: Sessions::new(store.clone()).unwrap(),
        store,
        queue,
        lock,
        server,
    }
}

/// Makes an app whose operators may act.
pub(crate) async fn world(stores: Stores) -> World {
    world_of(stores, |page| page.allow_actions().with_drill(), figures).await
}

/// Counts something for each view.
fn figures() {
    for (tier, hits) in [("near", 900), ("far", 60)] {
        counter!("larder_cache_hits_total", "kind" => "film", "tier" => tier).increment(hits);
    }
    counter!("larder_cache_hits_total", "kind" => "seat", "tier" => "near").increment(7);
    counter!("larder_cache_misses_total", "kind" => "film").increment(40);
    counter!("larder_cache_loads_total", "kind" => "film", "outcome" => "ok").increment(30);
    counter!("larder_cache_loads_total", "kind" => "film", "outcome" => "error").increment(10);
    counter!("larder_cache_coalesced_total", "kind" => "film").increment(5);
    counter!("larder_cache_stale_total", "kind" => "film").increment(11);
    for _ in 0..4 {
        histogram!("larder_cache_load_seconds", "kind" => "film").record(0.5);
    }
    for (policy, outcome, requests) in [
        ("pages", "allowed", 90),
        ("pages", "refused", 10),
        ("sign-in", "refused", 70),
        ("sign-in", "failed_closed", 2),
    ] {
        let labels = [("policy", policy), ("outcome", outcome)];
        counter!("larder_rate_limit_decisions_total", &labels).increment(requests);
    }
    let labels = [("policy", "sign-in"), ("reason", "ban")];
    counter!("larder_rate_limit_refusals_total", &labels).increment(70);
    for (outcome, responses) in [("hit", 75), ("miss", 25), ("bypass", 100)] {
        counter!("larder_response_cache_total", "outcome" => outcome).increment(responses);
    }
    counter!("larder_session_reads_total", "outcome" => "found").increment(1_234);
    counter!("larder_session_signed_in_total").increment(3);
    counter!("larder_queue_taken_total", "queue" => "mail", "job" => "mail").increment(2);
    gauge!("larder_redis_breaker_open", "server" => "127.0.0.1:1").set(0.0);
}

pub(crate) async fn sign_in(store: &Arc<dyn Store>, user: &'static str) {
    let handler = service_fn(move |request: Request<Body>| async move {
        let session = Session::from_extensions(request.extensions()).unwrap();
        session.log_in(user).await.unwrap();
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let layer = SessionLayer::new(Sessions::new(store.clone()).unwrap());
    let signed_in = layer.layer(handler).oneshot(Request::new(Body::empty()));
    assert!(
        signed_in
            .await
            .unwrap()
            .headers()
            .contains_key("set-cookie")
    );
}

/// The guard of the app: an operator is named by a header.
async fn guard(request: Parts) -> Result<Operator, Response> {
    let who = request
        .headers
        .get("x-operator")
        .and_then(|who| who.to_str().ok());
    match who {
        Some("reader") => Ok(Operator::new("reader").read_only()),
        Some("stranger") => Err(StatusCode::FORBIDDEN.into_response()),
        Some("visitor") => Err(Redirect::to("/sign-in").into_response()),
        Some(name) => Ok(Operator::new(name)),
        None => Err(StatusCode::UNAUTHORIZED.into_response()),
    }
}

impl World {
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get_as(&self, who: &str, path: &str) -> Answer {
        self.send(request(Method::GET, who, path, "")).await
    }

    /// Opens a view as `root`.
    pub(crate) async fn open(&self, view: &str) -> Answer {
        let path = format!("/ops/{view}");
        self.get_as("root", path.trim_end_matches('/')).await
    }

    pub(crate) async fn post_as(&self, who: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(request(Method::POST, who, path, &encoded(form)))
            .await
    }

    /// Returns the token in the forms of `root`.
    pub(crate) async fn token(&self) -> String {
        let page = self.open("queues").await;
        page.hidden("token")
            .unwrap_or_else(|| panic!("no token: {page:?}"))
    }

    /// Sends a form of an action as `root`, and the answer to its question, if there is one.
    pub(crate) async fn act(&self, form: &[(&str, &str)]) -> (Answer, Answer) {
        let asked = self.ask(form).await;
        let done = self.answer(&asked, form).await;
        (asked, done)
    }

    /// Sends a form of an action as `root`.
    pub(crate) async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        let token = self.token().await;
        let form = [form, &[("token", &*token)]].concat();
        self.post_as("root", "/ops/actions", &form).await
    }

    /// Says yes to the question of a form that `root` has sent.
    pub(crate) async fn answer(&self, asked: &Answer, form: &[(&str, &str)]) -> Answer {
        let token = self.token().await;
        let seen = asked.hidden("seen").unwrap_or_default();
        let yes = [("seen", &*seen), ("sure", "yes"), ("token", &*token)];
        let form = [form, &yes].concat();
        self.post_as("root", "/ops/actions", &form).await
    }
}

impl Answer {
    /// Returns the value of the first hidden input of a name.
    pub(crate) fn hidden(&self, name: &str) -> Option<String> {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&start)?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    }

    #[track_caller]
    pub(crate) fn has(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.body.contains(text), "no {text:?} in {self:?}");
        }
    }

    #[track_caller]
    pub(crate) fn lacks(&self, texts: &[&str]) {
        for text in texts {
            assert!(!self.body.contains(text), "{text:?} in {self:?}");
        }
    }
}

pub(crate) fn request(method: Method, who: &str, path: &str, body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header("host", "cinema.example")
        .header("content-type", "application/x-www-form-urlencoded");
    let request = if who.is_empty() {
        request
    } else {
        request.header("x-operator", who)
    };
    request.body(Body::from(body.to_owned())).unwrap()
}

fn encoded(form: &[(&str, &str)]) -> String {
    let pairs = form.iter().map(|(name, value)| {
        let value = value.bytes().map(|byte| format!("%{byte:02X}"));
        format!("{name}={}", value.collect::<String>())
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Every view of the page.
pub(crate) const VIEWS: [&str; 11] = [
    "",
    "caches",
    "limits",
    "sessions",
    "responses",
    "queues",
    "locks",
    "store",
    "doctor",
    "log",
    "drill",
];
