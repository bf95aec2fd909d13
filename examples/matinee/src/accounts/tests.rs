//! The administrator's password is replaced while somebody signs in with the one before.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use larder::moka::MokaStore;
use larder::store::ErrorKind;
use larder_test::faulty::{Faulty, Switch, Trouble};
use larder_test::server::Sandbox;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Notify, SemaphorePermit};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;
use tower::ServiceExt as _;

use super::*;
use crate::config::AdminAccount;
use crate::{db, sessions};

const EMAIL: &str = "boss@example.org";
const FIRST: &str = "correct horse battery";
const SECOND: &str = "another staple of it";

/// A process that knows the first password, and what another process with the second one needs to start.
struct Scene {
    url: String,
    pool: SqlitePool,
    accounts: Accounts,
    door: Router,
    /// The sessions of the other process, whose store may fail.
    sessions: Sessions,
    trouble: Switch,
    user: String,
    _sandbox: Sandbox,
}

fn admin(password: &str) -> AdminAccount {
    let admin = AdminAccount::parse(Some(EMAIL.to_owned()), Some(password.to_owned()));
    admin.unwrap().unwrap()
}

impl Scene {
    async fn open() -> Self {
        let sandbox = Sandbox::new().unwrap();
        let url = format!("sqlite://{}", sandbox.path().join("matinee.db").display());
        let pool = db::open(&url).await.unwrap();
        let memory = Arc::new(MokaStore::new());
        let faulty = Faulty::new(memory.clone());
        let trouble = faulty.switch();
        let store: Arc<dyn Store> = memory;
        let config = Config {
            admin: Some(admin(FIRST)),
            ..Config::default()
        };
        let old = sessions::sessions(store.clone()).unwrap();
        let accounts = Accounts::open(&config, &pool, &store, &old).await.unwrap();
        let account = db::account_by_email(&pool, &Email::new(EMAIL)).await;
        Self {
            url,
            pool,
            door: routes(accounts.clone()).layer(sessions::layer(&config, old).unwrap()),
            accounts,
            sessions: sessions::sessions(Arc::new(faulty)).unwrap(),
            trouble,
            user: account.unwrap().unwrap().id.to_string(),
            _sandbox: sandbox,
        }
    }

    fn sign_in(&self, password: &str) -> impl Future<Output = StatusCode> + Send + use<> {
        let form = [("email", EMAIL), ("password", password)];
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let form = Request::post("/sign-in")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form));
        let answer = self.door.clone().oneshot(form.unwrap());
        async { answer.await.unwrap().status() }
    }

    /// Starts the process with the second password.
    fn start(&self) -> impl Future<Output = Result<(), StartError>> + Send + use<> {
        let (pool, sessions) = (self.pool.clone(), self.sessions.clone());
        let passwords = self.accounts.passwords.clone();
        async move { initial::ensure_admin(&pool, &passwords, &sessions, &admin(SECOND)).await }
    }

    /// Replaces the first password while a sign-in with it waits for its check, until the permit is dropped.
    async fn replace_while_checking(&self) -> (JoinHandle<StatusCode>, SemaphorePermit<'_>) {
        let passwords = &self.accounts.passwords;
        let places = passwords.places_left();
        let turns = passwords.take_every_turn().await;
        let signing_in = tokio::spawn(self.sign_in(FIRST));
        while passwords.places_left() == places {
            yield_now().await;
        }
        self.start().await.unwrap();
        (signing_in, turns)
    }

    async fn devices(&self) -> usize {
        self.sessions.devices(&self.user).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_password_that_is_replaced_while_it_is_checked_signs_nobody_in() {
    let scene = Scene::open().await;
    let (signing_in, turns) = scene.replace_while_checking().await;
    drop(turns);
    assert_eq!(signing_in.await.unwrap(), StatusCode::UNAUTHORIZED);
    assert_eq!(scene.devices().await, 0);
    assert_eq!(scene.sign_in(SECOND).await, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_has_not_signed_everybody_out_is_done_again() {
    let scene = Scene::open().await;
    let mut other = SqliteConnection::connect(&scene.url).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let starting = tokio::spawn(scene.start());
    // Until it waits for the database.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(scene.sign_in(FIRST).await, StatusCode::SEE_OTHER);
    assert_eq!(scene.devices().await, 1);
    scene.trouble.set(Trouble::Fail(ErrorKind::NotSent));
    lock.rollback().await.unwrap();
    assert!(starting.await.unwrap().is_err());
    scene.trouble.clear();

    assert_ne!(scene.sign_in(FIRST).await, StatusCode::SEE_OTHER);
    scene.start().await.unwrap();
    assert_eq!(scene.devices().await, 0);
    assert_eq!(scene.sign_in(SECOND).await, StatusCode::SEE_OTHER);
}

/// The cookie has been sent by then, and the request can no longer sign out.
#[tokio::test]
async fn a_password_that_is_replaced_signs_nobody_in_though_the_request_timed_out() {
    let mut scene = Scene::open().await;
    let timeout = Arc::new(Notify::new());
    let times_out = timeout.clone();
    let may_time_out = move |request: axum::extract::Request, next: Next| {
        let timeout = times_out.clone();
        async move {
            tokio::select! {
                answer = next.run(request) => answer,
                () = timeout.notified() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        }
    };
    scene.door = routes(scene.accounts.clone())
        .layer(from_fn(may_time_out))
        .layer(sessions::layer(&Config::default(), scene.sessions.clone()).unwrap());
    let (signing_in, turns) = scene.replace_while_checking().await;
    let mut connections = Vec::new();
    for _ in 0..scene.pool.options().get_max_connections() {
        connections.push(scene.pool.acquire().await.unwrap());
    }
    drop(turns);
    while scene.devices().await == 0 {
        yield_now().await;
    }
    timeout.notify_one();
    assert_eq!(signing_in.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    drop(connections);
    tokio::time::timeout(Duration::from_secs(20), async {
        while scene.devices().await > 0 {
            yield_now().await;
        }
    })
    .await
    .expect("the session is ended");
}
