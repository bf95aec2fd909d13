//! Steps on sessions, by their public calls and through HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use http_body_util::Full;
use larder_session::{
    DeviceId, DeviceLimit, EveryoneRecord, Lifetime, Session, SessionError, SessionKey,
    SessionLayer, SessionRecord, Sessions, UserRecord,
};
use larder_store::program::{Inspection, Record};
use larder_store::{Delete, Key, Kind, Put, Store, Ttl};
use proptest::prelude::*;
use tokio::runtime::Handle;
use tower::{Layer, ServiceExt, service_fn};

use super::arguments::Id;
use super::draw::short;
use super::remembered::Remembered;
use super::time::Time;

/// The cookies of the browsers, which each store keeps for itself since ids are random.
const COOKIES: Kind = Kind::pinned("browser");
const COUNT: SessionKey<i64> = SessionKey::new("count");
const LONG: Duration = Duration::from_secs(20);
/// Longer than it takes to record that a session was used.
const QUIET: Duration = Duration::from_millis(500);

/// One operation on sessions in a process of its own, as it is drawn and printed.
#[derive(Clone, Debug)]
pub(crate) struct SessionOperation {
    browser: u8,
    user: u8,
    act: Act,
    limit: u8,
    grace: Option<Ttl>,
    life: (Ttl, Ttl),
    keep: Ttl,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Look,
    SignIn,
    SignOut,
    Rotate,
    Set(i64),
    Add(i64),
    TakeNow,
    Update,
    /// Ends a session of the user, counted from the oldest.
    Revoke(u8),
    RevokeOthers,
    RevokeAll,
    Why,
    /// Done by the app without a request, like the next ones.
    RevokeUser,
    Disable,
    Enable,
    Everyone,
    Show,
}

pub(super) fn operation(time: Time) -> impl Strategy<Value = SessionOperation> {
    let act = prop_oneof![
        8 => Just(Act::SignIn),
        8 => Just(Act::Look),
        1 => Just(Act::SignOut),
        3 => Just(Act::Rotate),
        2 => (0..9_i64).prop_map(Act::Set),
        3 => (-3..9_i64).prop_map(Act::Add),
        1 => Just(Act::TakeNow),
        2 => Just(Act::Update),
        2 => (0..3_u8).prop_map(Act::Revoke),
        1 => Just(Act::RevokeOthers),
        1 => Just(Act::RevokeAll),
        3 => Just(Act::Why),
        1 => Just(Act::RevokeUser),
        1 => Just(Act::Disable),
        2 => Just(Act::Enable),
        1 => Just(Act::Everyone),
        3 => Just(Act::Show),
    ];
    let times = (short(time), short(time), short(time));
    let grace = proptest::option::of(short(time));
    (0..3_u8, 0..2_u8, act, 0..3_u8, grace, times).prop_map(
        |(browser, user, act, limit, grace, (one, other, keep))| SessionOperation {
            browser,
            user,
            act,
            limit,
            grace,
            life: (one.min(other), one.max(other)),
            keep,
        },
    )
}

impl SessionOperation {
    /// Remembers what ends by this operation.
    pub(crate) fn remember(&self, remembered: &mut Remembered) {
        let ends = [
            Some(self.life.0),
            Some(self.life.1),
            self.grace,
            Some(self.keep),
        ];
        for ttl in ends.into_iter().flatten() {
            remembered.ends_in(Id::Record(0), ttl);
        }
    }

    /// Runs the operation and what it leaves to tasks, and returns what it shows.
    pub(crate) async fn run(&self, store: &Arc<dyn Store>) -> String {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let shown = self.shown(store).await;
        let quiet = async {
            while tasks() > before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        // A store may have begun a task that lasts, such as one of a new connection.
        let _ = tokio::time::timeout(QUIET, quiet).await;
        shown.unwrap_or_else(|error| format!("{:?}", error.kind()))
    }

    fn sessions(&self, store: &Arc<dyn Store>) -> Result<Sessions, SessionError> {
        let limit = match self.limit {
            0 => DeviceLimit::None,
            1 => DeviceLimit::Refuse(2),
            _ => DeviceLimit::EndOldest(2),
        };
        let sessions = Sessions::new(store.clone())?
            .with_store_timeout(LONG)
            .with_lifetime(Lifetime::new(self.life.0, self.life.1)?)
            .with_device_limit(limit)
            .with_end_reason_ttl(self.keep);
        Ok(match self.grace {
            Some(grace) => sessions.with_grace(grace),
            None => sessions,
        })
    }

    fn user(&self) -> String {
        format!("user{}", self.user)
    }

    async fn shown(&self, store: &Arc<dyn Store>) -> Result<String, SessionError> {
        let (sessions, user) = (self.sessions(store)?, self.user());
        match self.act {
            Act::RevokeUser => sessions.revoke_all(&user).await?,
            Act::Disable => sessions.disable(&user).await?,
            Act::Enable => sessions.enable(&user).await?,
            Act::Everyone => sessions.revoke_everyone().await?,
            Act::Show => return self.inspected(store, &sessions).await,
            _ => return self.requested(store, sessions).await,
        }
        Ok("done".to_owned())
    }

    /// Shows the records, but no id.
    async fn inspected(
        &self,
        store: &Arc<dyn Store>,
        sessions: &Sessions,
    ) -> Result<String, SessionError> {
        let user = self.user();
        let devices = sessions.devices(&user).await?.into_iter();
        let mut devices: Vec<_> = devices
            .map(|it| (it.signed_in, it.created, it.last_seen, it.expires, it.ends))
            .collect();
        devices.sort_unstable();
        let is_disabled = sessions.is_disabled(&user).await?;
        let programs = store.clone().programs().expect("programs");
        let key = UserRecord::key(&user);
        let user = programs.inspect::<UserRecord>(&key).await.map(without_ids);
        let everyone = Key::new(EveryoneRecord::KIND, "all");
        let everyone = programs.inspect::<EveryoneRecord>(&everyone).await;
        let session = match cookie(store, self.browser).await {
            None => None,
            Some(cookie) => {
                let id = cookie.split(['=', '.']).nth(1).unwrap_or_default();
                let id: DeviceId = id.parse()?;
                let key = Key::new(SessionRecord::KIND, id);
                Some(programs.inspect::<SessionRecord>(&key).await)
            }
        };
        Ok(format!(
            "{devices:?} {is_disabled} {user:?} {everyone:?} {session:?}"
        ))
    }

    /// Sends a request with the browser's cookie, and keeps the one that comes back.
    async fn requested(
        &self,
        store: &Arc<dyn Store>,
        sessions: Sessions,
    ) -> Result<String, SessionError> {
        let service = SessionLayer::new(sessions).layer(service_fn(page));
        let mut request = Request::new(Full::<Bytes>::default());
        request.extensions_mut().insert(self.clone());
        if let Some(cookie) = cookie(store, self.browser).await {
            let cookie = cookie.parse().expect("a cookie");
            request.headers_mut().insert(COOKIE, cookie);
        }
        let Ok(response) = service.oneshot(request).await;
        let body = response.extensions().get::<String>().cloned();
        let set = response
            .headers()
            .get(SET_COOKIE)
            .and_then(|set| set.to_str().ok());
        let key = Key::new(COOKIES, self.browser);
        let kept = match set.and_then(|set| set.split_once(';')) {
            None => "keeps",
            Some((_, attributes)) if attributes.contains("Max-Age=0") => {
                let _ = store
                    .delete(&Delete::new(key))
                    .await
                    .expect("a store that answers");
                "loses"
            }
            Some((pair, _)) => {
                let put = Put::new(key, pair.to_owned(), Ttl::MAX);
                let _ = store.put(&put).await.expect("a store that answers");
                "gets"
            }
        };
        Ok(format!(
            "{} {body:?} and {kept} a cookie",
            response.status()
        ))
    }
}

/// Returns the lines about a user without the ids of sessions, which are random.
fn without_ids(user: Inspection) -> Vec<(String, String)> {
    let lines = user.fields().iter().map(|(name, value)| {
        // `session ID`, and `spared` with an id as its value.
        let name = name.split(' ').next().unwrap_or_default();
        let value = if name == "spared" { "one" } else { value };
        (name.to_owned(), value.to_owned())
    });
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    lines
}

async fn cookie(store: &Arc<dyn Store>, browser: u8) -> Option<String> {
    let held = store.get(&Key::new(COOKIES, browser)).await;
    let held = held.expect("a store that answers")?;
    Some(String::from_utf8_lossy(&held.value).into_owned())
}

async fn page(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let session = Session::from_extensions(request.extensions()).expect("a layer");
    let operation = request
        .extensions()
        .get::<SessionOperation>()
        .expect("an operation");
    let said = match operation.act(&session).await {
        Ok(said) => said,
        Err(error) => format!("{:?}", error.kind()),
    };
    let mut response = Response::new(Full::default());
    response.extensions_mut().insert(said);
    Ok(response)
}

impl SessionOperation {
    async fn act(&self, session: &Session) -> Result<String, SessionError> {
        match self.act {
            Act::SignIn => session.log_in(self.user()).await?,
            Act::SignOut => session.log_out().await?,
            Act::Rotate => session.rotate().await?,
            Act::Set(value) => session.insert(COUNT, &value).await?,
            Act::Add(by) => drop(session.increment(COUNT, by).await?),
            Act::TakeNow => return Ok(format!("{:?}", session.take_now(COUNT).await?)),
            Act::Update => drop(
                session
                    .update(COUNT, |count| count.unwrap_or(0) * 2 + 1)
                    .await?,
            ),
            Act::Revoke(at) => {
                let mut devices = session.devices().await?;
                devices.sort_unstable_by_key(|device| device.signed_in);
                let Some(device) = devices.get(usize::from(at)) else {
                    return Ok("no such device".to_owned());
                };
                return Ok(session.revoke(device.id).await?.to_string());
            }
            Act::RevokeOthers => session.revoke_others().await?,
            Act::RevokeAll => session.revoke_all().await?,
            Act::Why => return Ok(format!("{:?}", session.take_end_reason().await?)),
            _ => {}
        }
        let count = session.get(COUNT).await?;
        let authentication = session.authentication().await?;
        Ok(format!("{count:?} {authentication:?}"))
    }
}
