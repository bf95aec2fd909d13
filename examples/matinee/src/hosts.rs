//! Answers only for the hosts of this site.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Config;
use crate::errors::Problem;

/// The hosts under which pages may be requested, as browsers write them: in lower case, and without the
/// default port of their scheme.
#[derive(Clone, Debug)]
pub(crate) struct AllowedHosts {
    names: Arc<[String]>,
    usual_port: &'static str,
}

impl AllowedHosts {
    /// Returns the hosts of `PUBLIC_URL` and `ALLOWED_HOSTS`. If neither is set it returns `None`, which
    /// allows any host.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let public = config.public_url.as_ref();
        let is_https = public.is_some_and(|url| url.is_https());
        let usual_port = if is_https { ":443" } else { ":80" };
        let named = public.map(|url| url.host()).into_iter();
        let named = named.chain(config.allowed_hosts.iter().map(String::as_str));
        let names: Arc<[_]> = named.map(|name| plain(name, usual_port)).collect();
        (!names.is_empty()).then_some(Self { names, usual_port })
    }

    /// Returns whether a request names a host, and only hosts of this list.
    fn allow(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let of_uri = uri.authority().map(|host| host.as_str().as_bytes());
        let of_field = headers.get_all(HOST).iter().map(|host| host.as_bytes());
        let mut named = of_uri.into_iter().chain(of_field).peekable();
        named.peek().is_some() && named.all(|host| self.has(host))
    }

    fn has(&self, host: &[u8]) -> bool {
        std::str::from_utf8(host).is_ok_and(|host| {
            let host = plain(host, self.usual_port);
            self.names.contains(&host)
        })
    }
}

/// Answers 421 (RFC 9110, section 15.5.20) for other hosts, before anything is cached or counted.
pub(crate) async fn refuse_others(
    State(hosts): State<Option<AllowedHosts>>,
    request: Request,
    next: Next,
) -> Response {
    match hosts {
        Some(hosts) if !hosts.allow(request.uri(), request.headers()) => {
            Problem::of(StatusCode::MISDIRECTED_REQUEST).into_response()
        }
        _ => next.run(request).await,
    }
}

fn plain(host: &str, usual_port: &str) -> String {
    let host = host.to_ascii_lowercase();
    let without = host.strip_suffix(usual_port).or(host.strip_suffix(':'));
    without.unwrap_or(&host).to_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::PublicUrl;

    fn hosts(public: Option<&str>, allowed: &[&str]) -> Option<AllowedHosts> {
        AllowedHosts::of(&Config {
            public_url: public.map(|url| PublicUrl::parse(url).unwrap()),
            allowed_hosts: allowed.iter().map(|&host| host.to_owned()).collect(),
            ..Config::default()
        })
    }

    fn allows(hosts: &AllowedHosts, uri: &str, said: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in said {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        hosts.allow(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn an_app_with_a_public_url_answers_for_its_host_in_every_spelling_and_for_no_other() {
        let hosts = hosts(Some("https://Tickets.example"), &["inside:3000"]).unwrap();
        for host in [
            "tickets.example",
            "TICKETS.example",
            "tickets.example:443",
            "tickets.example:",
            "inside:3000",
        ] {
            assert!(allows(&hosts, "/", &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "tickets.example.evil.example",
            "eviltickets.example",
            "tickets.example:80",
            "tickets.example:444",
            "tickets.example.",
            "inside",
            "127.0.0.1",
            "",
            "é",
        ] {
            assert!(!allows(&hosts, "/", &[host]), "{host}");
        }
        assert!(!allows(&hosts, "/", &[]));
        assert!(!allows(&hosts, "/", &["tickets.example", "evil.example"]));
        // A whole URI, or HTTP/2.
        assert!(allows(&hosts, "https://tickets.example/", &[]));
        assert!(!allows(
            &hosts,
            "https://evil.example/",
            &["tickets.example"]
        ));
        assert!(!allows(
            &hosts,
            "https://tickets.example/",
            &["evil.example"]
        ));
    }

    #[test]
    fn an_app_that_is_told_no_host_answers_for_any() {
        assert!(hosts(None, &[]).is_none());
        assert!(hosts(None, &["inside"]).is_some());
    }
}
