//! A client of the app.

mod cookies;
mod events;

use std::io::BufReader;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body, RequestBuilder};

use self::cookies::Cookies;
pub(crate) use self::events::{Event, Events};

use crate::server::Server;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A visitor with a connection that is kept for the next request.
pub(crate) struct Visitor {
    agent: Agent,
    headers: Vec<(&'static str, String)>,
    cookies: Cookies,
}

impl Visitor {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .build();
        Self {
            agent: config.into(),
            headers: Vec::new(),
            cookies: Cookies::default(),
        }
    }

    /// Makes a visitor with a browser.
    pub(crate) fn with_a_browser() -> Self {
        Self::new().with("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
    }

    /// Makes a visitor who uses the app's name, as everybody does if its servers are behind one
    /// address: a whole page is cached under the name that was requested.
    pub(crate) fn by_name() -> Self {
        Self::new().with("host", "matinee.example")
    }

    /// Makes a visitor whom a proxy on this machine reports with these addresses.
    pub(crate) fn forwarded(addresses: impl Into<String>) -> Self {
        Self::new().with("x-forwarded-for", addresses)
    }

    /// Sends this header from now on.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends a request, and panics without a complete answer.
    pub(crate) fn get(&self, server: &Server, path: &str) -> Answer {
        self.try_get(server, path)
            .unwrap_or_else(|error| panic!("no answer to {path}: {error}"))
    }

    /// Sends a request, and returns an error without a complete answer.
    pub(crate) fn try_get(&self, server: &Server, path: &str) -> Result<Answer, ureq::Error> {
        let start = Instant::now();
        let request = self.agent.get(address(server, path));
        self.answer(self.dress(request).call()?, start)
    }

    /// Opens a stream of events, after the last one that was seen.
    pub(crate) fn watch(&self, server: &Server, path: &str, last: Option<&str>) -> Events {
        let mut request = self.dress(self.agent.get(address(server, path)));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.call().unwrap();
        assert_eq!(response.status(), 200);
        let kind = &response.headers()["content-type"];
        assert_eq!(kind, "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Events(BufReader::new(response.into_body().into_reader()))
    }

    /// Sends a request, and returns the status of the answer without reading the rest.
    pub(crate) fn try_open(&self, server: &Server, path: &str) -> Result<u16, ureq::Error> {
        let request = self.dress(self.agent.get(address(server, path)));
        Ok(request.call()?.status().as_u16())
    }

    /// Sends a form, and panics without a complete answer.
    pub(crate) fn post(&self, server: &Server, path: &str, form: &[(&str, &str)]) -> Answer {
        self.try_post(server, path, form)
            .unwrap_or_else(|error| panic!("no answer to a form at {path}: {error}"))
    }

    /// Sends a form, and returns an error without a complete answer.
    pub(crate) fn try_post(
        &self,
        server: &Server,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, ureq::Error> {
        let start = Instant::now();
        let request = self.agent.post(address(server, path));
        let response = self.dress(request).send_form(form.iter().copied())?;
        self.answer(response, start)
    }

    /// Tries to sign in.
    pub(crate) fn try_sign_in(&self, server: &Server, email: &str, password: &str) -> Answer {
        self.post(
            server,
            "/sign-in",
            &[("email", email), ("password", password)],
        )
    }

    /// Signs in with a demo account, which exists in development.
    pub(crate) fn sign_in(&self, server: &Server, account: Account) -> Answer {
        let answer = self.try_sign_in(server, account.email, account.password);
        assert_eq!(answer.status, 303, "{answer:?}");
        answer
    }

    /// Returns the cookies of the browser.
    pub(crate) fn cookies(&self) -> &Cookies {
        &self.cookies
    }

    /// Adds the headers and the cookies.
    fn dress<B>(&self, mut request: RequestBuilder<B>) -> RequestBuilder<B> {
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        match self.cookies.header() {
            Some(cookies) => request.header("cookie", cookies),
            None => request,
        }
    }

    fn answer(&self, response: Response<Body>, start: Instant) -> Result<Answer, ureq::Error> {
        let (parts, mut body) = response.into_parts();
        self.cookies.keep(&parts.headers);
        let body = body.read_to_string()?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            took: start.elapsed(),
        })
    }
}

fn address(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.address())
}

/// An account that a test signs in with.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    pub(crate) email: &'static str,
    pub(crate) password: &'static str,
}

/// The demo accounts, as the form shows them.
pub(crate) const ADA: Account = Account {
    email: "ada@matinee.example",
    password: "front-row-centre",
};
pub(crate) const GRACE: Account = Account {
    email: "grace@matinee.example",
    password: "back-row-corner",
};
pub(crate) const ADMIN: Account = Account {
    email: "admin@matinee.example",
    password: "lights-camera-admin",
};

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Answer {
    /// Returns the header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Returns where the page came from, according to `Server-Timing`.
    pub(crate) fn source(&self) -> &str {
        let told = self.header("server-timing");
        told.split('"').nth(1).unwrap_or(told)
    }

    /// Returns the sum of all samples of a metric whose line begins with `name` and has all the
    /// labels.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let samples = self.body.lines().filter(|line| {
            let rest = line.strip_prefix(name).unwrap_or("#");
            rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label))
        });
        let values = samples.map(|line| line.rsplit(' ').next().unwrap_or_default());
        values.map(|value| value.parse::<u64>().unwrap()).sum()
    }
}
