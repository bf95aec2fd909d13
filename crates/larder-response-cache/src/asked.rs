use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use http_body::Body;

use crate::engine::{Candidate, Freshness, Profile, Refusal, RequestRules, Selecting, Sharing};
use crate::entry::Entry;
use crate::key::{CLAIMS, OVERRIDES, Primary, Target};
use crate::shared::Shared;
use crate::view::View;

/// What a GET or HEAD that may be answered from the cache asks for.
pub(crate) struct Asked {
    pub(crate) primary: Primary,
    pub(crate) rules: RequestRules,
    pub(crate) claims: Selecting,
    pub(crate) is_head: bool,
    pub(crate) has_authorization: bool,
}

impl Asked {
    /// What the request asks for; nothing where it is none of the cache's business.
    pub(crate) fn of<B: Body>(
        request: &Request<B>,
        target: Target<'_>,
        shared: &Shared,
    ) -> Option<Self> {
        let headers = request.headers();
        let is_head = request.method() == Method::HEAD;
        let rules = RequestRules::of(headers);
        if !request.body().is_end_stream() || rules.no_store || is_other_business(headers) {
            return None;
        }
        Some(Self {
            primary: Primary::new(shared.view.profile, target),
            claims: claims(headers, shared.view.profile, &shared.key_fields)?,
            rules,
            is_head,
            has_authorization: headers.contains_key(header::AUTHORIZATION),
        })
    }

    /// Whether the stored response may be used for this request at all.
    pub(crate) fn may_use(&self, entry: &Entry, profile: Profile) -> bool {
        !self.has_authorization || entry.may_share || profile == Profile::Rfc
    }
}

/// Whether the request is for something that is never cached, or sets conditions that only the
/// origin can check.
fn is_other_business(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::UPGRADE)
        || headers.contains_key(header::IF_MATCH)
        || headers.contains_key(header::IF_UNMODIFIED_SINCE)
    {
        return true;
    }
    let says = |name: HeaderName, text: &str| {
        headers.get_all(name).iter().any(|value| {
            let mut parts = value.as_bytes().windows(text.len());
            parts.any(|part| part.eq_ignore_ascii_case(text.as_bytes()))
        })
    };
    says(header::CONTENT_TYPE, "application/grpc")
        || says(header::ACCEPT, "text/event-stream")
        || says(header::CONNECTION, "upgrade")
}

/// The fields of the request that its response may depend on without saying so; nothing where such
/// a response must not be cached.
fn claims(headers: &HeaderMap, profile: Profile, key_fields: &[HeaderName]) -> Option<Selecting> {
    let mut claims: Vec<_> = key_fields.to_vec();
    if profile == Profile::Safe {
        for name in headers.keys() {
            if !name.as_str().starts_with("x-") {
                continue;
            }
            if OVERRIDES.contains(name) {
                return None;
            }
            if CLAIMS.contains(name) {
                claims.push(name.clone());
            }
        }
    }
    Selecting::from_names(claims)
}

/// Whether the request asks for a part, or sets conditions of its own, so that the answer may be of
/// no use to others.
pub(crate) fn is_conditional(headers: &HeaderMap) -> bool {
    [
        header::RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
    ]
    .iter()
    .any(|name| headers.contains_key(name))
}

/// Whether a response to a GET may be stored.
pub(crate) fn may_store(
    view: &View,
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    freshness: &Freshness,
) -> Result<(), Refusal> {
    let said = view.directives(response);
    let candidate = Candidate {
        profile: view.profile,
        sharing: Sharing::Shared,
        method: &Method::GET,
        request,
        status,
        response,
        said: &said,
        freshness,
    };
    candidate.check()
}

/// The scheme, host and path of an unsafe request, for what it makes invalid.
pub(crate) struct Origin {
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Origin {
    pub(crate) fn of(target: Target<'_>) -> Self {
        Self {
            scheme: target.scheme.to_ascii_lowercase(),
            host: target.host.to_ascii_lowercase(),
            path: target.path.to_owned(),
        }
    }

    pub(crate) fn primary(&self, profile: Profile, path: &str) -> Primary {
        Primary::new(
            profile,
            Target {
                scheme: &self.scheme,
                host: &self.host,
                path,
            },
        )
    }
}
