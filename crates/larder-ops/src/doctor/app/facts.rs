use std::fmt::Write as _;

use super::super::report::{Finding, Report, Status};
use super::finding;

/// The facts that an app states about itself, for the checks that need no server.
///
/// A fact that it does not state is [`Unknown`](Status::Unknown).
///
/// ```
/// use larder_ops::doctor::{App, GuardFailMode, Layer, Status};
///
/// let app = App::new()
///     .with_guard("sign-in", GuardFailMode::Closed)
///     .with_secret("cookies", &[7; 8])
///     .with_layers(&[Layer::Compression, Layer::ResponseCache, Layer::Sessions]);
/// let report = app.examine();
/// assert_eq!(report.worst(), Status::Fail); // the secret
/// ```
#[derive(Clone, Debug, Default)]
pub struct App {
    proxies: Option<Proxies>,
    sees_forwarded: bool,
    /// The worst result of each check that several facts may concern.
    judged: Vec<(&'static str, Status, String)>,
}

/// Whether an app knows its proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxies {
    /// Their networks are declared, so that the address of a client is read from their header.
    Declared,
    /// None is declared: the address of the connection is used.
    Undeclared,
}

/// What a limit that protects something does while its store fails, as its `FailMode` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardFailMode {
    /// It lets requests pass: `FailMode::Open`.
    Open,
    /// It refuses them: `FailMode::Closed`.
    Closed,
    /// It counts in the process: `FailMode::Local`.
    Local,
}

/// A layer whose position matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Compression of responses.
    Compression,
    /// The response cache.
    ResponseCache,
    /// Sessions.
    Sessions,
}

/// Whether an app that limits by address knows the addresses of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// Requests carry `ConnectInfo`, or a proxy names the address.
    Known,
    /// Requests carry none.
    Missing,
}

impl App {
    /// Makes an app that has stated nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// States whether its proxies are declared.
    #[must_use]
    pub fn with_proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// States that a request arrived with `Forwarded` or `X-Forwarded-For`.
    #[must_use]
    pub fn with_forwarded_request(mut self) -> Self {
        self.sees_forwarded = true;
        self
    }

    /// States a limit that protects something, such as sign-in, and what it does while its store
    /// fails.
    #[must_use]
    pub fn with_guard(self, policy: &str, fail_mode: GuardFailMode) -> Self {
        let (status, does) = match fail_mode {
            GuardFailMode::Open => (Status::Fail, "lets everybody pass while the store fails"),
            GuardFailMode::Closed => (Status::Ok, "refuses while the store fails"),
            GuardFailMode::Local => (Status::Ok, "counts in the process while the store fails"),
        };
        self.judge("A003", status, format!("'{policy}' {does}"))
    }

    /// States a secret. Only its length in bytes is shown.
    #[must_use]
    pub fn with_secret(self, name: &str, secret: &[u8]) -> Self {
        let is_alike = secret.windows(2).all(|two| two[0] == two[1]);
        let (bytes, mut seen) = (secret.len(), String::new());
        // Writing to a string does not fail.
        let _ = write!(seen, "'{name}' has {bytes} bytes");
        if is_alike {
            seen.push_str(", all alike");
        }
        let status = match bytes {
            _ if is_alike => Status::Fail,
            32.. => Status::Ok,
            16..32 => Status::Warn,
            _ => Status::Fail,
        };
        self.judge("A004", status, seen)
    }

    /// States a cookie without `Secure`, and the host that sets it.
    #[must_use]
    pub fn with_insecure_cookie(self, name: &str, host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let bare = host
            .trim_end_matches(|sign: char| sign.is_ascii_digit())
            .trim_end_matches(':');
        let is_here = [host.as_str(), bare].iter().any(|host| {
            let is_loopback = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            *host == "localhost"
                || host.ends_with(".localhost")
                || is_loopback.is_ok_and(|address| address.is_loopback())
        });
        let status = match is_here {
            true => Status::Ok,
            false => Status::Fail,
        };
        self.judge("A005", status, format!("'{name}' is not Secure on {host}"))
    }

    /// States that every cookie has `Secure`.
    #[must_use]
    pub fn with_secure_cookies(self) -> Self {
        self.judge("A005", Status::Ok, "Secure".to_owned())
    }

    /// States the layers from the outermost to the innermost.
    #[must_use]
    pub fn with_layers(self, layers: &[Layer]) -> Self {
        let place = |wanted| layers.iter().position(|layer| *layer == wanted);
        let cache = place(Layer::ResponseCache);
        let order = |outer: Option<usize>, inner: Option<usize>| match (outer, inner) {
            (Some(outer), Some(inner)) if outer > inner => (Status::Fail, "the other way round"),
            (Some(_), Some(_)) => (Status::Ok, "in order"),
            _ => (Status::Ok, "not both are there"),
        };
        let (sessions, seen) = order(cache, place(Layer::Sessions));
        let judged = self.judge("A006", sessions, seen.to_owned());
        let (compression, seen) = order(place(Layer::Compression), cache);
        judged.judge("A007", compression, seen.to_owned())
    }

    /// States whether limits by address know the address of a client.
    #[must_use]
    pub fn with_client_address(self, address: AddressSource) -> Self {
        let (status, seen) = match address {
            AddressSource::Known => (Status::Ok, "known"),
            AddressSource::Missing => (
                Status::Fail,
                "missing: all clients share one quota, or none has one",
            ),
        };
        self.judge("A008", status, seen.to_owned())
    }

    /// States that it keeps a journal, a queue or an event log on the servers of a report.
    ///
    /// Its doctor must know of that [use](super::super::Use::Queue): otherwise L024 is ok without durability.
    #[must_use]
    pub fn with_journal_on(self, servers: &Report) -> Self {
        let mut durability = servers
            .findings
            .iter()
            .filter(|it| it.id.as_str() == "L024");
        let worst = durability.clone().map(|it| it.status).max();
        let (status, seen) = match worst {
            Some(Status::Ok) => (Status::Ok, "L024 is ok"),
            Some(Status::Warn | Status::Fail) => (
                Status::Fail,
                "a crash or restart of the server can lose what was acknowledged",
            ),
            Some(Status::Unknown) | None => (Status::Unknown, "not known without L024"),
        };
        let server = durability.find(|it| Some(it.status) == worst);
        let server = server.map(|it| it.server.clone()).unwrap_or_default();
        let mut judged = self.judge("A010", status, seen.to_owned());
        if let Some((_, _, seen)) = judged.judged.last_mut()
            && status == Status::Fail
        {
            let _ = write!(seen, " ({server})");
        }
        judged
    }

    /// Returns a finding for each check, by the stated facts.
    pub fn examine(&self) -> Report {
        let proxies = match (self.proxies, self.sees_forwarded) {
            (Some(Proxies::Declared), _) => (Status::Ok, "declared"),
            (Some(Proxies::Undeclared), true) => (
                Status::Fail,
                "undeclared, and headers of a proxy arrive: all clients behind it are one",
            ),
            (Some(Proxies::Undeclared), false) => {
                (Status::Ok, "none, and no header of one arrives")
            }
            (None, _) => (Status::Unknown, NOT_SAID),
        };
        let mut findings = vec![finding("A002", proxies.0, proxies.1)];
        findings.extend(SAID.map(|id| self.worst(id)));
        Report::new(findings)
    }

    fn worst(&self, id: &'static str) -> Finding {
        let judged = self.judged.iter().filter(|(judged, ..)| *judged == id);
        // The first of the worst, in the order in which they were named.
        let worst = judged.rev().max_by_key(|(_, status, _)| *status);
        match worst {
            Some((_, status, seen)) => finding(id, *status, seen.clone()),
            None => finding(id, Status::Unknown, NOT_SAID),
        }
    }

    fn judge(mut self, id: &'static str, status: Status, seen: String) -> Self {
        self.judged.push((id, status, seen));
        self
    }
}

const NOT_SAID: &str = "the app does not say";

const SAID: [&str; 7] = ["A003", "A004", "A005", "A006", "A007", "A008", "A010"];

#[cfg(test)]
mod tests {
    use super::*;

    fn status(app: App, id: &str) -> Status {
        let report = app.examine();
        let found = report.findings.iter().find(|it| it.id.as_str() == id);
        found.unwrap().status
    }

    #[test]
    fn what_an_app_does_not_say_is_unknown() {
        let report = App::new().examine();
        assert_eq!(report.findings.len(), 8);
        assert_eq!(report.count(Status::Unknown), 8);
    }

    #[test]
    fn each_fault_of_an_app_is_found_and_passes_when_it_is_mended() {
        use Layer::{Compression, ResponseCache, Sessions};
        use Status::{Fail, Ok, Warn};
        let new = App::new;
        let long: Vec<u8> = (0..32).collect();
        for (id, app, expected) in [
            (
                "A002",
                new()
                    .with_proxies(Proxies::Undeclared)
                    .with_forwarded_request(),
                Fail,
            ),
            (
                "A002",
                new()
                    .with_proxies(Proxies::Declared)
                    .with_forwarded_request(),
                Ok,
            ),
            ("A002", new().with_proxies(Proxies::Undeclared), Ok),
            (
                "A003",
                new()
                    .with_guard("a", GuardFailMode::Closed)
                    .with_guard("b", GuardFailMode::Open),
                Fail,
            ),
            ("A003", new().with_guard("a", GuardFailMode::Closed), Ok),
            ("A003", new().with_guard("a", GuardFailMode::Local), Ok),
            (
                "A004",
                new().with_secret("a", &long).with_secret("b", b"hunter2"),
                Fail,
            ),
            ("A004", new().with_secret("a", &[7; 64]), Fail),
            ("A004", new().with_secret("a", b""), Fail),
            ("A004", new().with_secret("a", &long[..16]), Warn),
            ("A004", new().with_secret("a", &long), Ok),
            (
                "A005",
                new().with_insecure_cookie("id", "example.org"),
                Fail,
            ),
            (
                "A005",
                new().with_insecure_cookie("id", "localhost.example.org:8080"),
                Fail,
            ),
            ("A005", new().with_insecure_cookie("id", "10.0.0.7"), Fail),
            (
                "A005",
                new().with_insecure_cookie("id", "LOCALHOST:8080"),
                Ok,
            ),
            (
                "A005",
                new().with_insecure_cookie("id", "127.0.0.1:8080"),
                Ok,
            ),
            ("A005", new().with_insecure_cookie("id", "[::1]:8080"), Ok),
            ("A005", new().with_secure_cookies(), Ok),
            ("A006", new().with_layers(&[Sessions, ResponseCache]), Fail),
            ("A006", new().with_layers(&[ResponseCache, Sessions]), Ok),
            (
                "A007",
                new().with_layers(&[ResponseCache, Compression]),
                Fail,
            ),
            ("A007", new().with_layers(&[Compression, ResponseCache]), Ok),
            (
                "A008",
                new().with_client_address(AddressSource::Missing),
                Fail,
            ),
            ("A008", new().with_client_address(AddressSource::Known), Ok),
        ] {
            assert_eq!(status(app.clone(), id), expected, "{id}: {app:?}");
        }
    }

    #[test]
    fn a_report_shows_no_byte_of_a_secret() {
        let report = App::new().with_secret("cookies", b"hunter2").examine();
        let text = format!("{report:?}");
        assert!(
            text.contains("'cookies' has 7 bytes") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
