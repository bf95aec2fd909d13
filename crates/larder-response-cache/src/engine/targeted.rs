use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};

use super::{CacheControl, MAX_DELTA, Profile};

/// Returns the directives of a response to this cache (RFC 9213).
///
/// They are in the first of these targeted fields that the response has, otherwise in `Cache-Control`. A
/// targeted field is a dictionary of structured fields. It is ignored if it is empty or malformed, or a time
/// in it is not an integer. A restriction in it counts whatever its value is, also if that is a list. In the
/// safe profile `no-store`, `private` and the fields that `no-cache` names count in `Cache-Control` too.
pub fn directives(profile: Profile, targeted: &[HeaderName], response: &HeaderMap) -> CacheControl {
    let plain = CacheControl::of(response);
    let Some(mut directives) = targeted.iter().find_map(|name| read(response, name)) else {
        return plain;
    };
    if profile == Profile::Safe {
        directives.no_store |= plain.no_store;
        directives.private |= plain.private;
        directives.is_unreadable |= plain.is_unreadable;
        directives.no_cache_fields = plain.no_cache_fields;
    }
    directives
}

fn read(response: &HeaderMap, name: &HeaderName) -> Option<CacheControl> {
    let mut text = String::new();
    for line in response.get_all(name) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(line.to_str().ok()?);
    }
    let dictionary: Dictionary = Parser::new(&text).parse().ok()?;
    if dictionary.is_empty() {
        return None;
    }
    let mut directives = CacheControl {
        is_present: true,
        is_targeted: true,
        ..CacheControl::default()
    };
    for (key, entry) in &dictionary {
        let item = match entry {
            ListEntry::Item(Item { bare_item, .. }) => Some(bare_item),
            ListEntry::InnerList(_) => None,
        };
        // A restriction counts whatever its value is. Neither `?0` nor a list is a permission.
        let is_on = item == Some(&BareItem::Boolean(true));
        match key.as_str() {
            "max-age" => directives.max_age = Some(seconds(item)?),
            "s-maxage" => directives.s_maxage = Some(seconds(item)?),
            "stale-while-revalidate" => directives.stale_while_revalidate = Some(seconds(item)?),
            "stale-if-error" => directives.stale_if_error = Some(seconds(item)?),
            "no-store" => directives.no_store = true,
            "no-cache" => directives.no_cache = true,
            "private" => directives.private = true,
            "must-revalidate" => directives.must_revalidate = true,
            "proxy-revalidate" => directives.proxy_revalidate = true,
            "must-understand" => directives.must_understand = true,
            "public" => directives.public = is_on,
            _ => {}
        }
    }
    Some(directives)
}

/// Returns a time. None if its value is a list or anything else than an integer.
fn seconds(item: Option<&BareItem>) -> Option<u64> {
    let BareItem::Integer(seconds) = item? else {
        return None;
    };
    let seconds = u64::try_from(i64::from(*seconds)).unwrap_or(0);
    Some(seconds.min(MAX_DELTA))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");

    fn read_both(profile: Profile, targeted: &str, plain: &str) -> CacheControl {
        let mut headers = HeaderMap::new();
        headers.append(CDN, targeted.parse().unwrap());
        headers.append("cache-control", plain.parse().unwrap());
        directives(profile, &[CDN], &headers)
    }

    #[test]
    fn a_targeted_field_takes_precedence_over_cache_control() {
        let directives = read_both(
            Profile::Rfc,
            "foobar, max-age=60, public",
            "max-age=1, no-store",
        );
        assert_eq!(
            (directives.max_age, directives.no_store, directives.public),
            (Some(60), false, true)
        );
        assert!(directives.is_targeted);
    }

    #[test]
    fn in_the_safe_profile_no_store_and_private_count_in_either_field() {
        assert!(read_both(Profile::Safe, "max-age=60", "no-store").no_store);
        assert!(read_both(Profile::Safe, "max-age=60", "private").private);
        assert!(read_both(Profile::Rfc, "no-store", "max-age=60").no_store);
        for (profile, counts) in [(Profile::Safe, true), (Profile::Rfc, false)] {
            let unreadable = read_both(profile, "max-age=60", "x=\"no-store");
            assert_eq!(unreadable.is_unreadable, counts, "{profile:?}");
        }
    }

    #[test]
    fn every_directive_means_in_a_targeted_field_what_it_means_in_cache_control() {
        for directive in [
            "max-age=7",
            "s-maxage=7",
            "stale-while-revalidate=7",
            "stale-if-error=7",
            "no-store",
            "no-cache",
            "private",
            "must-revalidate",
            "proxy-revalidate",
            "must-understand",
            "public",
        ] {
            let targeted = read_both(Profile::Rfc, directive, "max-age=1");
            let mut plain =
                CacheControl::of(&crate::engine::header_map(&[("cache-control", directive)]));
            plain.is_targeted = true;
            assert_eq!(targeted, plain, "{directive}");
        }
    }

    #[test]
    fn a_restriction_counts_in_a_targeted_field_whatever_its_value_is() {
        for value in [
            "",
            "=?0",
            "=\"x-user\"",
            "=(\"x-user\")",
            "=()",
            "=(\"a\" \"b\");c",
        ] {
            let restrictions = ["no-store", "private", "no-cache", "must-revalidate"];
            let said = restrictions.map(|name| format!("{name}{value}")).join(", ");
            let read = read_both(Profile::Rfc, &format!("max-age=60, {said}"), "");
            assert_eq!(read.max_age, Some(60), "{value}");
            assert!(read.no_store && read.private && read.no_cache, "{value}");
            assert!(read.must_revalidate, "{value}");
        }
        for value in ["=?0", "=(\"x\")", "=()"] {
            let read = read_both(Profile::Rfc, &format!("max-age=60, public{value}"), "");
            assert!(!read.public, "{value}");
        }
    }

    #[test]
    fn a_malformed_targeted_field_is_ignored() {
        for broken in [
            "",
            "max-age=60, &",
            "max-age=\"60\"",
            "max-age=(60)",
            "max-age=60, stale-if-error=(60)",
            "max-age =60",
            "MAX-AGE=60",
            "\u{e9}",
        ] {
            assert_eq!(
                read_both(Profile::Rfc, broken, "max-age=1").max_age,
                Some(1),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_time_is_within_its_bounds() {
        assert_eq!(read_both(Profile::Rfc, "max-age=-1", "").max_age, Some(0));
        assert_eq!(
            read_both(Profile::Rfc, "max-age=99999999999", "").max_age,
            Some(MAX_DELTA)
        );
    }

    proptest! {
        #[test]
        fn no_targeted_field_causes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.append(CDN, value);
                let _ = directives(Profile::Rfc, &[CDN], &headers);
            }
        }
    }
}
