//! Someone who asks over HTTP.

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};

use crate::door::Door;

/// More than any answer takes; an answer that never comes fails the test here.
const PATIENCE: Duration = Duration::from_secs(15);

/// A visitor with a connection that is kept for the next question.
pub(crate) struct Visitor {
    agent: Agent,
    headers: Vec<(&'static str, String)>,
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
        }
    }

    /// Someone with a browser.
    pub(crate) fn with_a_browser() -> Self {
        Self::new().with("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
    }

    /// Someone whom a proxy on this machine tells to come from these addresses.
    pub(crate) fn forwarded(addresses: impl Into<String>) -> Self {
        Self::new().with("x-forwarded-for", addresses)
    }

    /// Sends this header from now on.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Asks, and panics where there is no whole answer.
    pub(crate) fn get(&self, door: &Door, path: &str) -> Answer {
        self.try_get(door, path)
            .unwrap_or_else(|error| panic!("no answer to {path}: {error}"))
    }

    /// Asks; an error where there is no whole answer.
    pub(crate) fn try_get(&self, door: &Door, path: &str) -> Result<Answer, ureq::Error> {
        let start = Instant::now();
        let mut request = self.agent.get(format!("http://{}{path}", door.address()));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let (parts, mut body) = request.call()?.into_parts();
        let body = body.read_to_string()?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            took: start.elapsed(),
        })
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Answer {
    /// The header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Where the page came from, as `Server-Timing` tells it.
    pub(crate) fn source(&self) -> &str {
        let told = self.header("server-timing");
        told.split('"').nth(1).unwrap_or(told)
    }

    /// The sum of all samples of a metric whose line begins with `name` and has all the labels.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let samples = self.body.lines().filter(|line| {
            let rest = line.strip_prefix(name).unwrap_or("#");
            rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label))
        });
        let values = samples.map(|line| line.rsplit(' ').next().unwrap_or_default());
        values.map(|value| value.parse::<u64>().unwrap()).sum()
    }
}
