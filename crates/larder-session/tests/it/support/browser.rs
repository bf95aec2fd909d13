use std::sync::Mutex;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use tokio::task::JoinSet;

use super::Site;

/// A visitor: keeps the one cookie of the site, and sends it along.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    cookie: Mutex<Option<String>>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) const NAME: &str = "__Host-session";

impl Browser {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A browser that has `cookie` from the start.
    pub(crate) fn with(cookie: impl Into<String>) -> Self {
        Self {
            cookie: Mutex::new(Some(cookie.into())),
        }
    }

    /// A browser that `user` has signed in with. `ada/phone` also names the device.
    pub(crate) async fn signed_in(site: &Site, user: &str) -> Self {
        let browser = Self::new();
        browser.read(site, &format!("/log-in/{user}")).await;
        browser
    }

    /// Whether a user is signed in with the cookie, which stays as it is.
    pub(crate) async fn is_in(&self, site: &Site) -> bool {
        !self.copy().read(site, "/whoami").await.is_empty()
    }

    /// The value of the cookie.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap().clone()
    }

    pub(crate) fn copy(&self) -> Self {
        Self {
            cookie: Mutex::new(self.cookie()),
        }
    }

    /// The id of the session's record, which is the first part of the cookie.
    pub(crate) fn record(&self) -> String {
        let cookie = self.cookie().unwrap();
        cookie.split_once('.').unwrap().0.to_owned()
    }

    pub(crate) async fn get(&self, site: &Site, path: &str) -> Reply {
        let mut request = Request::builder().uri(path);
        if let Some(cookie) = self.cookie() {
            request = request.header(COOKIE, format!("{NAME}={cookie}"));
        }
        let reply = site.call(request.body(String::new()).unwrap()).await;
        for set in reply.headers.get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (pair, attributes) = set.split_once(';').unwrap();
            let value = pair.strip_prefix(NAME).unwrap().strip_prefix('=').unwrap();
            let is_removed = attributes.contains("Max-Age=0");
            *self.cookie.lock().unwrap() = (!is_removed).then(|| value.to_owned());
        }
        reply
    }

    /// Sends `paths` at once, with the cookie of now. Each response changes a browser of its own.
    pub(crate) async fn at_once(
        &self,
        site: &Site,
        paths: impl IntoIterator<Item: Into<String>>,
    ) -> Vec<(Self, Reply)> {
        let mut requests = JoinSet::new();
        for (at, path) in paths.into_iter().enumerate() {
            let (site, browser, path) = (site.clone(), self.copy(), path.into());
            requests.spawn(async move {
                let reply = browser.get(&site, &path).await;
                (at, browser, reply)
            });
        }
        let mut done = requests.join_all().await;
        done.sort_by_key(|(at, ..)| *at);
        done.into_iter()
            .map(|(_, browser, reply)| (browser, reply))
            .collect()
    }

    /// The body of a page that is there.
    pub(crate) async fn read(&self, site: &Site, path: &str) -> String {
        let reply = self.get(site, path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
        reply.body
    }
}

impl Reply {
    pub(crate) fn sets_cookie(&self) -> bool {
        self.headers.contains_key(SET_COOKIE)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
