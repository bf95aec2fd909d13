use http::{Method, Request};
use http_body::Body;

use super::content::has_content;
use super::headers::RequestHeaders;
use super::{BypassReason, PrimaryKey, RequestPolicy};
use crate::engine::{RequestDirectives, SelectingFields};

/// A GET or HEAD that may be answered from the cache.
pub(crate) struct CacheRequest {
    pub(crate) key: PrimaryKey,
    pub(crate) directives: RequestDirectives,
    /// Header fields that select the response, in addition to those of its `Vary`.
    pub(crate) key_fields: SelectingFields,
    pub(crate) is_head: bool,
    /// Whether it has preconditions, or asks for a range.
    pub(crate) is_conditional: bool,
    pub(crate) has_range: bool,
    pub(crate) has_authorization: bool,
}

impl CacheRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// Why the request bypasses the cache.
    pub(crate) fn read<B: Body>(
        request: &Request<B>,
        policy: &RequestPolicy,
    ) -> Result<Self, BypassReason> {
        let headers = RequestHeaders::read(request.headers(), policy.profile);
        let target = policy.target(request, headers.host);
        if let Some(bypass) = headers.bypass {
            return Err(bypass);
        }
        let target = target.ok_or(BypassReason::TargetUri)?;
        if has_content(request, headers.framing) {
            return Err(BypassReason::RequestBody);
        }
        let directives = if headers.has_directives {
            RequestDirectives::of(request.headers())
        } else {
            RequestDirectives::default()
        };
        if directives.no_store {
            return Err(BypassReason::NoStore);
        }
        let key_fields = if policy.key_fields.is_empty() && headers.forwarded.is_empty() {
            SelectingFields::default()
        } else {
            let fields = policy.key_fields.iter().cloned().chain(headers.forwarded);
            SelectingFields::from_names(fields).ok_or(BypassReason::KeyFields)?
        };
        Ok(Self {
            key: PrimaryKey::new(policy.profile, target),
            directives,
            key_fields,
            is_head: request.method() == Method::HEAD,
            is_conditional: headers.is_conditional,
            has_range: headers.has_range,
            has_authorization: headers.has_authorization,
        })
    }
}
