use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use larder_session::{
    CookieExpiry, EndReason, FlashLevel, Lifetime, Result, Session, SessionErrorKind, SessionKey,
    SessionLayer, SessionValue, SignInOptions,
};
use larder_store::Ttl;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

use super::Reply;

const ANSWER: SessionKey<String> = SessionKey::new("answer");
const COUNT: SessionKey<u64> = SessionKey::new("count");
const FLASH: SessionKey<String> = SessionKey::new("flash");
const VISITS: SessionKey<u64> = SessionKey::new("visits").as_counter();

#[derive(Default, Serialize, Deserialize)]
struct Cart {
    seats: Vec<u32>,
}

impl SessionValue for Cart {
    const KEY: SessionKey<Self> = SessionKey::new("cart");
}

type Answered = Response<larder_session::ResponseBody<Full<bytes::Bytes>>>;

/// An app whose pages run the session operation that their path names. Below `/held` they read the
/// session and wait until the test opens the gate; below `/arriving` they read it, tell that they are at
/// the gate and go on; below `/kept` the session outlives them; below `/panicking` they panic at the end.
#[derive(Clone)]
pub(crate) struct Site {
    service: BoxCloneSyncService<Request<String>, Answered, Infallible>,
    pub(crate) gate: Arc<Gate>,
}

/// The gate at which pages below `/held` wait.
#[derive(Default)]
pub(crate) struct Gate {
    arrived: Notify,
    open: Notify,
    kept: Mutex<Option<Session>>,
}

impl Gate {
    /// Waits until a page has read the session and is at the gate.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Lets one page pass.
    pub(crate) fn open(&self) {
        self.open.notify_one();
    }

    /// The session of the last page below `/kept`, whose response was sent.
    pub(crate) fn kept(&self) -> Session {
        self.kept.lock().unwrap().take().unwrap()
    }

    async fn pass(&self) {
        self.arrived.notify_one();
        self.open.notified().await;
    }
}

impl Site {
    pub(crate) fn new(layer: SessionLayer) -> Self {
        let gate = Arc::new(Gate::default());
        let passed = gate.clone();
        let pages = service_fn(move |request: Request<String>| {
            let gate = passed.clone();
            async move {
                let session = request.extensions().get::<Session>().unwrap().clone();
                let path = request.uri().path();
                let path = match path.strip_prefix("/held") {
                    None => path,
                    Some(path) => {
                        let _ = session.user().await;
                        gate.pass().await;
                        path
                    }
                };
                let path = match path.strip_prefix("/arriving") {
                    None => path,
                    Some(path) => {
                        let _ = session.user().await;
                        gate.arrived.notify_one();
                        path
                    }
                };
                let path = match path.strip_prefix("/kept") {
                    None => path,
                    Some(path) => {
                        *gate.kept.lock().unwrap() = Some(session.clone());
                        path
                    }
                };
                let (path, panics) = match path.strip_prefix("/panicking") {
                    Some(path) => (path, true),
                    None => (path, false),
                };
                let response = answer(&session, path).await;
                assert!(!panics, "as the path says");
                Ok::<_, Infallible>(response)
            }
        });
        Self {
            service: BoxCloneSyncService::new(layer.layer(pages)),
            gate,
        }
    }

    pub(crate) async fn call(&self, request: Request<String>) -> Reply {
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }
}

/// Lets other requests run in between, now and then.
async fn pause() {
    for _ in 0..fastrand::u8(..6) {
        tokio::task::yield_now().await;
    }
}

async fn answer(session: &Session, path: &str) -> Response<Full<bytes::Bytes>> {
    let (path, status) = match path.strip_prefix("/failing") {
        Some(path) => (path, StatusCode::INTERNAL_SERVER_ERROR),
        None => match path.strip_prefix("/redirecting") {
            Some(path) => (path, StatusCode::SEE_OTHER),
            None => (path, StatusCode::OK),
        },
    };
    let mut words = path.split('/').skip(1);
    let page = words.next().unwrap_or_default();
    let words: Vec<_> = words.map(str::to_owned).collect();
    let (status, body) = match run(session, page, &words).await {
        Ok(body) => (status, body),
        Err(error) => {
            let status = match error.kind() {
                SessionErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                SessionErrorKind::SignedOut | SessionErrorKind::ReauthenticationRequired => {
                    StatusCode::UNAUTHORIZED
                }
                SessionErrorKind::Disabled | SessionErrorKind::TooManyDevices => {
                    StatusCode::FORBIDDEN
                }
                SessionErrorKind::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
                SessionErrorKind::Gone => StatusCode::GONE,
                SessionErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            (status, format!("{error}"))
        }
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}

fn name(word: &str) -> SessionKey<String> {
    match word {
        "a" => SessionKey::new("a"),
        "b" => SessionKey::new("b"),
        "answer" => ANSWER,
        other => SessionKey::try_new(other).unwrap(),
    }
}

async fn heard(session: &Session) -> Result<String> {
    let flashes = session.take_flashes().await?.into_iter();
    let flashes = flashes.map(|flash| format!("{}: {}", flash.level.as_str(), flash.text));
    Ok(flashes.collect::<Vec<_>>().join(", "))
}

async fn run(session: &Session, page: &str, words: &[String]) -> Result<String> {
    let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
    let mut said = String::new();
    match page {
        "untouched" => {}
        "whoami" => {
            if let Some(user) = session.user().await? {
                said = user.as_str().to_owned();
            }
        }
        // An app that ignores errors.
        "careless" => said = format!("{:?}", session.user().await.is_ok()),
        "account" => said = session.require_user().await?.as_str().to_owned(),
        "get" => said = session.get(name(word(0))).await?.unwrap_or_default(),
        "set" => session.insert(name(word(0)), &word(1).to_owned()).await?,
        "set-large" => {
            let length: usize = word(1).parse().unwrap();
            session.insert(name(word(0)), &"x".repeat(length)).await?;
        }
        "slow-set" => {
            session.get(ANSWER).await?;
            pause().await;
            session.insert(name(word(0)), &word(1).to_owned()).await?;
            pause().await;
        }
        "slow-whoami" => {
            pause().await;
            said = match session.user().await? {
                Some(user) => user.as_str().to_owned(),
                None => String::new(),
            };
        }
        "remove" => session.remove(name(word(0))).await?,
        "count" => said = session.get(COUNT).await?.unwrap_or_default().to_string(),
        "add" => {
            said = session
                .increment(COUNT, word(0).parse().unwrap())
                .await?
                .to_string()
        }
        "slow-add" => {
            session.increment(COUNT, 1).await?;
            pause().await;
        }
        "update" => {
            let count = session
                .update(COUNT, |count| count.unwrap_or(0) + 1)
                .await?;
            said = count.to_string();
        }
        "update-large" => {
            let length = word(1).parse().unwrap();
            session
                .update(name(word(0)), |_| "x".repeat(length))
                .await?;
        }
        // As many small fields as are asked for, and then one that is written at once.
        "many" => {
            for at in 0..word(0).parse().unwrap() {
                let field = SessionKey::with_id("many", at);
                session.insert(field, &1_u8).await?;
            }
            session.update(name("last"), |_| "x".repeat(100)).await?;
        }
        // One operation on the counter after the other.
        "ops" => {
            for op in word(0).split(',') {
                let by = op.get(1..).and_then(|by| by.parse().ok()).unwrap_or(0);
                match &op[..1] {
                    "t" => said += &format!("{:?} ", session.take(COUNT).await?),
                    "a" => said += &format!("{} ", session.increment(COUNT, by).await?),
                    "s" => session.insert(COUNT, &by.unsigned_abs()).await?,
                    "r" => session.remove(COUNT).await?,
                    "u" => drop(session.update(COUNT, |n| n.unwrap_or(0) + 1).await?),
                    other => panic!("no operation {other}"),
                }
            }
        }
        "flash" => session.insert(FLASH, &word(0).to_owned()).await?,
        "show-flash" => said = session.take(FLASH).await?.unwrap_or_default(),
        "take-now" => said = session.take_now(name(word(0))).await?.unwrap_or_default(),
        "set-and-take-now" => {
            session.insert(name(word(0)), &word(1).to_owned()).await?;
            said = session.take_now(name(word(0))).await?.unwrap_or_default();
        }
        "say" => session.flash(FlashLevel::Info, word(0)).await?,
        "slow-say" => {
            session.user().await?;
            pause().await;
            session.flash(FlashLevel::Info, word(0)).await?;
        }
        "say-and-hear" => {
            session.flash(FlashLevel::Error, word(0)).await?;
            said = heard(session).await?;
        }
        "hear" => said = heard(session).await?,
        "slow-hear" => {
            session.user().await?;
            pause().await;
            said = heard(session).await?;
        }
        "log-out-and-say" => {
            session.log_out().await?;
            session.flash(FlashLevel::Info, "bye").await?;
        }
        "visit" => said = session.increment(VISITS, 1).await?.to_string(),
        "cart" => said = format!("{:?}", session.value::<Cart>().await?.seats),
        "choose" | "slow-choose" => {
            if page == "slow-choose" {
                session.user().await?;
                pause().await;
            }
            let seat = word(0).parse().unwrap();
            let cart = session
                .change_value(|cart: &mut Cart| cart.seats.push(seat))
                .await?;
            said = format!("{:?}", cart.seats);
        }
        "empty-cart" => session.set_value(&Cart::default()).await?,
        "log-in" => {
            session.name_device(word(1)).await?;
            session.log_in(word(0)).await?;
        }
        // Idle and absolute time in seconds, and when the browser forgets the cookie.
        "log-in-for" => {
            let seconds = |at: usize| Ttl::from_secs(word(at).parse().unwrap());
            let life = Lifetime::new(seconds(1), seconds(2))?;
            let mut options = SignInOptions::new().with_lifetime(life);
            match word(3) {
                "kept" => options = options.with_cookie_expiry(CookieExpiry::WithTheSession),
                "closed" => options = options.with_cookie_expiry(CookieExpiry::OnBrowserClose),
                _ => {}
            }
            session.log_in_with(word(0), options).await?;
        }
        "slow-log-in" => {
            session.user().await?;
            pause().await;
            session.log_in(word(0)).await?;
        }
        "log-out" => session.log_out().await?,
        "slow-log-out" => {
            pause().await;
            session.log_out().await?;
        }
        "log-out-with-flash" => {
            session.log_out().await?;
            session.insert(FLASH, &"bye".to_owned()).await?;
        }
        "rotate" => session.rotate().await?,
        "rotate-and-log-out" => {
            let _ = session.rotate().await;
            session.log_out().await?;
        }
        "devices" => {
            for device in session.devices().await? {
                let mark = if device.is_current { "*" } else { "" };
                said += &format!("{}{mark} {}\n", device.id, device.name.unwrap_or_default());
            }
        }
        "revoke" => said = session.revoke(word(0).parse()?).await?.to_string(),
        "slow-revoke" => {
            session.user().await?;
            pause().await;
            said = session.revoke(word(0).parse()?).await?.to_string();
        }
        // As a page for which one has to sign in again.
        "carefully-revoke" => {
            session.recent_auth(Duration::from_secs(60)).await?;
            said = session.revoke(word(0).parse()?).await?.to_string();
        }
        "revoke-others" => session.revoke_others().await?,
        "slow-revoke-others" => {
            session.user().await?;
            pause().await;
            session.revoke_others().await?;
        }
        "revoke-all" => session.revoke_all().await?,
        "password-changed" => {
            let reason = EndReason::PasswordChanged;
            session.revoke_others_because(reason).await?;
        }
        "why" => {
            if let Some(reason) = session.take_end_reason().await? {
                said = format!("{reason:?}");
            }
        }
        "log-in-by" => {
            let methods = ["password", "passkey"];
            let method = methods.into_iter().find(|it| *it == word(1)).unwrap();
            let options = SignInOptions::new().with_method(method);
            session.log_in_with(word(0), options).await?;
        }
        "how" => {
            if let Some(how) = session.authentication().await? {
                let method = how.method.unwrap_or_default();
                said = format!("{} {method} {}", how.user.as_str(), how.age.as_secs());
            }
        }
        "recent" => {
            let within = Duration::from_secs(word(0).parse().unwrap());
            said = session.recent_auth(within).await?.as_str().to_owned();
        }
        // Answers when the session has ended.
        "stream" => said = format!("{:?}", session.revoked().await?),
        "slow-rotate" => {
            session.user().await?;
            pause().await;
            session.rotate().await?;
        }
        "save" => {
            session.insert(ANSWER, &word(0).to_owned()).await?;
            session.save().await?;
        }
        other => panic!("no page {other}"),
    }
    Ok(said)
}
