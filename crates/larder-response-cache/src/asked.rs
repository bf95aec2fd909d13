use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body;

use crate::content::has_content;
use crate::engine::{Candidate, Freshness, Profile, Refusal, RequestRules, Selecting, Sharing};
use crate::entry::Entry;
use crate::key::{Primary, Target};
use crate::passing::Bypass;
use crate::scan::Scan;
use crate::shared::Shared;
use crate::view::View;

/// What a GET or HEAD that may be answered from the cache asks for.
pub(crate) struct Asked {
    pub(crate) primary: Primary,
    pub(crate) rules: RequestRules,
    pub(crate) claims: Selecting,
    pub(crate) is_head: bool,
    /// Whether it asks for a part, or sets conditions of its own.
    pub(crate) is_conditional: bool,
    /// Whether it asks for a part.
    pub(crate) has_range: bool,
    pub(crate) has_authorization: bool,
}

impl Asked {
    /// What the request asks for.
    ///
    /// # Errors
    /// Why the cache has nothing to do with it.
    pub(crate) fn of<B: Body>(
        request: &Request<B>,
        target: Target<'_>,
        scan: Scan<'_>,
        shared: &Shared,
    ) -> Result<Self, Bypass> {
        if let Some(bypass) = scan.bypass {
            return Err(bypass);
        }
        if has_content(request, scan.framing) {
            return Err(Bypass::RequestBody);
        }
        let rules = if scan.has_rules {
            RequestRules::of(request.headers())
        } else {
            RequestRules::default()
        };
        if rules.no_store {
            return Err(Bypass::NoStore);
        }
        let claims = if shared.key_fields.is_empty() && scan.claims.is_empty() {
            Selecting::default()
        } else {
            Selecting::from_names(shared.key_fields.iter().cloned().chain(scan.claims))
                .ok_or(Bypass::KeyFields)?
        };
        Ok(Self {
            primary: Primary::new(shared.view.profile, target),
            claims,
            rules,
            is_head: request.method() == Method::HEAD,
            is_conditional: scan.is_conditional,
            has_range: scan.has_range,
            has_authorization: scan.has_authorization,
        })
    }

    /// Whether the stored response may be used for this request at all.
    pub(crate) fn may_use(&self, entry: &Entry, profile: Profile) -> bool {
        !self.has_authorization || entry.may_share || profile == Profile::Rfc
    }
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
