use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use axum::response::Response;
use larder_queue::QueueRecord;
use larder_redis::RedisStore;
use larder_response_cache::{Purger, ResponseCacheLayer};
use larder_session::Sessions;
use larder_store::program::Record;
use larder_store::{Error, ErrorKind, Key, Result, Store, StoreExt};
use tokio::sync::{Mutex, Semaphore};

use super::action_log::ActionLog;
use super::background::Background;
use super::figures::Figures;
use super::guard::{Guard, Operator};
use super::listing::Listing;
use super::live::MAX_STREAMS;
use super::routes::router;
use super::state::Shared;
use super::tokens::Tokens;
use crate::doctor::{Doctor, Uses};

/// Builds the page for operators of an app.
#[must_use]
pub struct OpsPage {
    store: Arc<dyn Store>,
    title: String,
    redis: Option<Arc<RedisStore>>,
    doctor: Option<Doctor>,
    figures: Option<Figures>,
    sessions: Option<Sessions>,
    purger: Option<Purger>,
    queues: Vec<String>,
    allows_actions: bool,
    has_drill: bool,
}

impl OpsPage {
    /// Makes a page about `store`, as the app's layers use it: with its namespace, if it has one.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            title: "Operations".to_owned(),
            redis: None,
            doctor: None,
            figures: None,
            sessions: None,
            purger: None,
            queues: Vec::new(),
            allows_actions: false,
            has_drill: false,
        }
    }

    /// Sets the title of the page, such as the name of the app. Default: `Operations`.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Shows the servers of the store, and the findings of the doctor.
    ///
    /// Pass the Redis store inside the namespace of the one passed to [`new`](Self::new).
    pub fn with_redis(mut self, redis: Arc<RedisStore>) -> Self {
        self.redis = Some(redis);
        self
    }

    /// Sets the doctor that examines the servers. Default: one with the strictest expectations.
    pub fn with_doctor(mut self, doctor: Doctor) -> Self {
        self.doctor = Some(doctor);
        self
    }

    /// Shows the metrics of this process. Default: the page says that it has none.
    ///
    /// Their history is kept only if the page is [built](Self::build) within a tokio runtime.
    pub fn with_figures(mut self, figures: Figures) -> Self {
        self.figures = Some(figures);
        self
    }

    /// Sets the sessions whose devices are listed and revoked. Default: those of the store.
    ///
    /// Sealed names of devices are shown only with the app's own sessions.
    pub fn with_sessions(mut self, sessions: Sessions) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Sets the purger of stored responses. Default: one for a response cache with default settings.
    ///
    /// Pass the app's own if it has another profile, a declared scheme, or names of query parameters: the default
    /// one does not find its responses. With the app's own, a purge that the store does not confirm also holds in the
    /// memory of this process.
    pub fn with_purger(mut self, purger: Purger) -> Self {
        self.purger = Some(purger);
        self
    }

    /// Names queues that are shown before the first listing of the store has ended.
    pub fn with_queues(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.queues.extend(names.into_iter().map(Into::into));
        self
    }

    /// Lets operators act: revoke sessions, reset limits, purge responses, pause and redrive queues, break locks.
    ///
    /// Default: the page is read-only. A [`read_only`](Operator::read_only) [`Operator`] never acts.
    pub fn allow_actions(mut self) -> Self {
        self.allows_actions = true;
        self
    }

    /// Adds the drill, which loads a cold page a thousand times at once. For development only.
    ///
    /// It runs in this process, one at a time, on a cache and a slow load of its own.
    pub fn with_drill(mut self) -> Self {
        self.has_drill = true;
        self
    }

    /// Builds the router. `guard` decides, at each request, who may see it.
    ///
    /// It gets the head of the request, with the extensions of outer layers, such as a session, and returns the
    /// operator, or the response for everyone else: a 404, or a redirect to the sign-in. Put the session layer
    /// around the router in which the page is nested.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the store runs no programs.
    pub fn build<S, G, F>(self, guard: G) -> Result<Router<S>>
    where
        S: Clone + Send + Sync + 'static,
        G: Fn(Parts) -> F + Send + Sync + 'static,
        F: Future<Output = std::result::Result<Operator, Response>> + Send + 'static,
    {
        let guard: Guard = Arc::new(move |parts| Box::pin(guard(parts)));
        let store = self.store;
        if let Some(figures) = &self.figures {
            figures.start_sampling();
        }
        let names = self.queues.iter();
        let known = names.map(|name| Key::new(QueueRecord::KIND, &**name));
        let sessions = match self.sessions {
            Some(sessions) => sessions,
            None => Sessions::new(store.clone())
                .map_err(|error| Error::new("page", ErrorKind::Invalid, error.to_string()))?,
        };
        let purger = match self.purger {
            Some(purger) => purger,
            None => ResponseCacheLayer::builder(store.clone()).build()?.purger(),
        };
        let shared = Shared {
            title: self.title,
            programs: store.clone().require_programs("the page")?,
            queues: Listing::new(&store, known.collect()),
            locks: Listing::new(&store, Vec::new()),
            redis: self.redis,
            doctor: self.doctor.unwrap_or_else(|| Doctor::new(Uses::ALL)),
            figures: self.figures,
            sessions,
            purger,
            report: Background::new(),
            tokens: Tokens::new(store.clone()),
            log: ActionLog::new(store.clone())?,
            allows_actions: self.allows_actions,
            has_drill: self.has_drill,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            drill: Mutex::new(()),
            store,
        };
        Ok(router(Arc::new(shared), guard).with_state(()))
    }
}

impl fmt::Debug for OpsPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpsPage")
            .field("store", &self.store.location())
            .finish_non_exhaustive()
    }
}
