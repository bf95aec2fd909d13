use http::{HeaderMap, StatusCode, header};

use super::Profile;
use super::validation::opaque;

/// The effect of a 200 to a HEAD on the stored response to a GET (RFC 9111, 4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEffect {
    /// It updates the headers: a GET would return the same content.
    Update,
    /// It invalidates the response: a GET would return other content.
    Invalidate,
    /// It does nothing.
    None,
}

/// Decides how a 200 to a HEAD affects the response that is stored for GET, with the status `held`, by the
/// headers of both.
///
/// The stored response must be a 200 too. Each validator of the HEAD must equal the stored one, and so must its
/// `Content-Length`. The safe profile requires a validator, so that neither the length alone nor any other
/// header makes old content fresh.
pub fn head_effect(
    profile: Profile,
    held: StatusCode,
    stored: &HeaderMap,
    head: &HeaderMap,
) -> HeadEffect {
    if held != StatusCode::OK {
        return HeadEffect::Invalidate;
    }
    let is_same = |name| {
        let new = head.get(&name)?;
        let held = stored.get(&name).map(|held| opaque(held.as_bytes()));
        Some(held == Some(opaque(new.as_bytes())))
    };
    let validators = [is_same(header::ETAG), is_same(header::LAST_MODIFIED)];
    let length = is_same(header::CONTENT_LENGTH);
    if validators.contains(&Some(false)) || length == Some(false) {
        return HeadEffect::Invalidate;
    }
    if profile == Profile::Safe && !validators.contains(&Some(true)) {
        return HeadEffect::None;
    }
    HeadEffect::Update
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: [(&str, &str); 3] = [
        ("etag", "\"a\""),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("content-length", "3"),
    ];

    fn effect(profile: Profile, head: &[(&'static str, &str)]) -> HeadEffect {
        let map = |fields: &[(&'static str, &str)]| {
            let fields = fields.iter();
            let fields =
                fields.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            fields.collect::<HeaderMap>()
        };
        head_effect(profile, StatusCode::OK, &map(&STORED), &map(head))
    }

    #[test]
    fn a_response_with_another_status_is_not_updated() {
        let headers = crate::engine::header_map(&STORED);
        for status in [204, 301, 404, 410, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            for profile in [Profile::Safe, Profile::Rfc] {
                let effect = head_effect(profile, status, &headers, &headers);
                assert_eq!(effect, HeadEffect::Invalidate, "{status} {profile:?}");
            }
        }
    }

    #[test]
    fn every_validator_and_the_length_must_be_the_same() {
        for field in STORED {
            assert_eq!(effect(Profile::Rfc, &[field]), HeadEffect::Update);
        }
        for validator in &STORED[..2] {
            assert_eq!(effect(Profile::Safe, &[*validator]), HeadEffect::Update);
        }
        assert_eq!(effect(Profile::Safe, &STORED), HeadEffect::Update);
        assert_eq!(
            effect(Profile::Safe, &[("etag", "W/\"a\"")]),
            HeadEffect::Update
        );
        for field in [
            ("etag", "\"b\""),
            ("last-modified", "Sun, 06 Nov 1994 08:49:38 GMT"),
            ("content-length", "4"),
        ] {
            assert_eq!(effect(Profile::Rfc, &[field]), HeadEffect::Invalidate);
            let one_of_two = [STORED[usize::from(field.0 == "etag")], field];
            assert_eq!(effect(Profile::Safe, &one_of_two), HeadEffect::Invalidate);
        }
    }

    #[test]
    fn without_a_validator_the_profiles_differ() {
        for other in [("x", "1"), ("content-length", "3")] {
            assert_eq!(effect(Profile::Safe, &[other]), HeadEffect::None);
            assert_eq!(effect(Profile::Rfc, &[other]), HeadEffect::Update);
        }
    }
}
