use http::{HeaderMap, StatusCode, header};

use super::status::is_gone;
use super::{Profile, Refusal};

/// Returns whether a response that is not stored invalidates the stored one for its request.
///
/// The origin sent it in place of the stored one, which is then no longer suitable (RFC 9111, 4.3.3).
///
/// - A response to another method than GET never does.
/// - 404 and 410 always do, because the resource is gone.
/// - Other errors, parts, and responses with a status that is not stored never do.
/// - In the safe profile a response that may concern only its visitor does not: one to a request with
///   `Cookie` or `Authorization`, one that sets a cookie, and one that a client requested while the stored
///   response was fresh.
pub fn invalidates_stored(
    profile: Profile,
    request: &HeaderMap,
    status: StatusCode,
    refusal: Refusal,
    was_fresh: bool,
) -> bool {
    let is_whole = status.is_success() || status.is_redirection();
    match refusal {
        Refusal::Method => return false,
        _ if is_gone(status) => return true,
        Refusal::Status => return false,
        _ if !is_whole => return false,
        _ => {}
    }
    let is_personal = request.contains_key(header::COOKIE)
        || request.contains_key(header::AUTHORIZATION)
        || refusal == Refusal::SetCookie;
    profile == Profile::Rfc || !(is_personal || was_fresh)
}

/// Returns whether a response with this status may replace a fresh one with the status `held`.
///
/// An error that a client can provoke may not, unless it means that the resource is gone.
pub fn may_replace_fresh(held: StatusCode, status: StatusCode) -> bool {
    let is_error = |status: StatusCode| status.is_client_error() || status.is_server_error();
    !is_error(status) || is_gone(status) || is_error(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::header_map as map;

    fn takes(
        profile: Profile,
        request: &[(&'static str, &str)],
        status: u16,
        refusal: Refusal,
        was_fresh: bool,
    ) -> bool {
        let status = StatusCode::from_u16(status).unwrap();
        invalidates_stored(profile, &map(request), status, refusal, was_fresh)
    }

    const ADA: [(&str, &str); 1] = [("cookie", "session=ada")];

    #[test]
    fn a_404_or_410_always_invalidates() {
        for profile in [Profile::Safe, Profile::Rfc] {
            for status in [404, 410] {
                assert!(!takes(profile, &ADA, status, Refusal::Method, false));
                for refusal in [Refusal::Useless, Refusal::Cookie] {
                    assert!(takes(profile, &ADA, status, refusal, true));
                }
            }
            for status in [400, 403, 412, 416, 500, 503] {
                assert!(!takes(profile, &[], status, Refusal::NoStore, false));
            }
            assert!(!takes(profile, &[], 206, Refusal::Status, false));
        }
    }

    #[test]
    fn in_the_safe_profile_a_response_for_one_visitor_invalidates_nothing() {
        for refusal in [Refusal::Private, Refusal::NoStore, Refusal::Useless] {
            assert!(takes(Profile::Safe, &[], 200, refusal, false));
            assert!(!takes(Profile::Safe, &ADA, 200, refusal, false));
            assert!(!takes(Profile::Safe, &[], 200, refusal, true));
            assert!(takes(Profile::Rfc, &ADA, 200, refusal, true));
        }
        let basic = [("authorization", "Basic eA==")];
        assert!(!takes(
            Profile::Safe,
            &basic,
            200,
            Refusal::Authorization,
            false
        ));
        assert!(!takes(Profile::Safe, &[], 200, Refusal::SetCookie, false));
    }

    #[test]
    fn an_error_replaces_no_fresh_response() {
        let may = |held: u16, status: u16| {
            let [held, status] = [held, status].map(|code| StatusCode::from_u16(code).unwrap());
            may_replace_fresh(held, status)
        };
        assert!(!may(200, 400) && !may(200, 403) && !may(301, 500));
        assert!(may(200, 404) && may(200, 410) && may(200, 301) && may(404, 500));
    }
}
