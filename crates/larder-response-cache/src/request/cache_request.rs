use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body;

use crate::engine::{
    Candidate, Freshness, Profile, Refusal, RequestDirectives, SelectingFields, Sharing,
};
use crate::policy::ResponsePolicy;
use crate::request::BypassReason;
use crate::request::RequestHeaders;
use crate::request::has_content;
use crate::request::{PrimaryKey, Target};
use crate::state::CacheState;
use crate::storage::StoredResponse;

/// What a GET or HEAD that may be answered from the cache asks for.
pub(crate) struct CacheRequest {
    pub(crate) primary: PrimaryKey,
    pub(crate) rules: RequestDirectives,
    pub(crate) key_fields: SelectingFields,
    pub(crate) is_head: bool,
    /// Whether it asks for a part, or sets conditions of its own.
    pub(crate) is_conditional: bool,
    /// Whether it asks for a part.
    pub(crate) has_range: bool,
    pub(crate) has_authorization: bool,
}

impl CacheRequest {
    /// What the request asks for.
    ///
    /// # Errors
    /// Why the cache has nothing to do with it.
    pub(crate) fn of<B: Body>(
        request: &Request<B>,
        target: Target<'_>,
        scan: RequestHeaders<'_>,
        cache: &CacheState,
    ) -> Result<Self, BypassReason> {
        if let Some(bypass) = scan.bypass {
            return Err(bypass);
        }
        if has_content(request, scan.framing) {
            return Err(BypassReason::RequestBody);
        }
        let rules = if scan.has_rules {
            RequestDirectives::of(request.headers())
        } else {
            RequestDirectives::default()
        };
        if rules.no_store {
            return Err(BypassReason::NoStore);
        }
        let key_fields = if cache.key_fields.is_empty() && scan.key_fields.is_empty() {
            SelectingFields::default()
        } else {
            SelectingFields::from_names(cache.key_fields.iter().cloned().chain(scan.key_fields))
                .ok_or(BypassReason::KeyFields)?
        };
        Ok(Self {
            primary: PrimaryKey::new(cache.policy.profile, target),
            key_fields,
            rules,
            is_head: request.method() == Method::HEAD,
            is_conditional: scan.is_conditional,
            has_range: scan.has_range,
            has_authorization: scan.has_authorization,
        })
    }

    /// Whether the stored response may be used for this request at all.
    pub(crate) fn may_serve(&self, entry: &StoredResponse, profile: Profile) -> bool {
        !self.has_authorization || entry.may_share || profile == Profile::Rfc
    }
}

/// Whether a response to a GET may be stored.
pub(crate) fn may_store(
    policy: &ResponsePolicy,
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    freshness: &Freshness,
) -> Result<(), Refusal> {
    let said = policy.directives(response);
    let candidate = Candidate {
        profile: policy.profile,
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

    pub(crate) fn primary(&self, profile: Profile, path: &str) -> PrimaryKey {
        PrimaryKey::new(
            profile,
            Target {
                scheme: &self.scheme,
                host: &self.host,
                path,
            },
        )
    }
}
