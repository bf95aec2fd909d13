use http::{HeaderMap, Method, StatusCode, header};

use super::status::{is_heuristically_cacheable, is_never_stored, is_understood};
use super::{CacheControl, Freshness, Profile, Refusal, ReuseRules, SelectingFields, Validators};

/// A response that might be stored, and the request that it answers.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// How closely RFC 9111 is followed.
    pub profile: Profile,
    /// The method of the request.
    pub method: &'a Method,
    /// The headers of the request.
    pub request: &'a HeaderMap,
    /// The status of the response.
    pub status: StatusCode,
    /// The headers of the response.
    pub response: &'a HeaderMap,
    /// The directives of the response.
    pub directives: &'a CacheControl,
    /// How fresh it is.
    pub freshness: &'a Freshness,
}

impl Candidate<'_> {
    /// Checks whether the response may be stored, and is worth it (RFC 9111, 3).
    ///
    /// # Errors
    /// The first reason why it is not stored.
    pub fn check(&self) -> Result<(), Refusal> {
        let directives = self.directives;
        if self.method != Method::GET {
            return Err(Refusal::Method);
        }
        // A part has the status 206. With another status the header means nothing (RFC 9110, 14.4), but its
        // sender may mean it.
        let has_content_range = self.response.contains_key(header::CONTENT_RANGE);
        let is_part = self.profile == Profile::Safe && has_content_range;
        if is_never_stored(self.status)
            || is_part
            || (directives.must_understand && !is_understood(self.status))
        {
            return Err(Refusal::Status);
        }
        if directives.is_unreadable {
            return Err(Refusal::Unreadable);
        }
        if directives.no_store || CacheControl::of(self.request).no_store {
            return Err(Refusal::NoStore);
        }
        self.check_privacy()?;
        if is_stream(self.response) {
            return Err(Refusal::Stream);
        }
        let rules = ReuseRules::of(directives, *self.freshness);
        let may_be_stale = rules.stale_while_revalidate.max(rules.stale_if_error) > 0;
        let has_validator = !Validators::of(self.response).is_empty();
        let is_useful = self.freshness.lifetime() > 0 || has_validator || may_be_stale;
        if !(is_useful && self.permits_storage()) {
            return Err(Refusal::Useless);
        }
        Ok(())
    }

    /// Returns whether the response or its status permits that it is stored, even if only to be validated
    /// (RFC 9111, 3, the last condition).
    fn permits_storage(&self) -> bool {
        self.freshness.is_explicit()
            || is_heuristically_cacheable(self.status)
            || self.directives.public
    }

    /// Returns whether the response clearly permits reuse, by more than a validator or a date.
    fn permits_reuse_clearly(&self) -> bool {
        let is_fresh = self.freshness.is_explicit() && self.freshness.lifetime() > 0;
        self.directives.public || (is_fresh && !self.directives.no_cache)
    }

    /// Checks that the response shows one visitor nothing of another's.
    fn check_privacy(&self) -> Result<(), Refusal> {
        let directives = self.directives;
        if directives.private {
            return Err(Refusal::Private);
        }
        let is_authorized = self.request.contains_key(header::AUTHORIZATION);
        if is_authorized && !directives.permits_authorized() {
            return Err(Refusal::Authorization);
        }
        let is_safe = self.profile == Profile::Safe;
        if is_safe && self.response.contains_key(header::SET_COOKIE) {
            return Err(Refusal::SetCookie);
        }
        if is_safe && self.request.contains_key(header::COOKIE) && !self.permits_reuse_clearly() {
            return Err(Refusal::Cookie);
        }
        match SelectingFields::of(self.response) {
            Some(selecting) if !(is_safe && selecting.is_personal()) => Ok(()),
            _ => Err(Refusal::Vary),
        }
    }
}

/// Returns whether the response is a stream by its type, or has trailers.
fn is_stream(headers: &HeaderMap) -> bool {
    let is_stream = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes().to_ascii_lowercase();
        value.starts_with(b"application/grpc")
            || value.starts_with(b"text/event-stream")
            || value.starts_with(b"multipart/x-mixed-replace")
            || value.starts_with(b"multipart/byteranges")
    });
    // An announced trailer could not be sent with a stored body.
    is_stream || headers.contains_key(header::TRAILER)
}

#[cfg(test)]
mod tests;
