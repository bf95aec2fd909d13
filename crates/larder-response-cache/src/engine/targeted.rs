use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};

use super::{CacheControl, MAX_DELTA, Profile};

/// What a response says to this cache: by the first of these targeted fields that it has, else by
/// `Cache-Control` (RFC 9213).
///
/// A targeted field is a dictionary of structured fields. One that is empty or broken, or in which a
/// time is no integer, is as if it were not there. In the safe profile `no-store`, `private` and the
/// fields that `no-cache` names in `Cache-Control` still count.
pub fn directives(profile: Profile, targeted: &[HeaderName], response: &HeaderMap) -> CacheControl {
    let plain = CacheControl::of(response);
    let Some(mut said) = targeted.iter().find_map(|name| read(response, name)) else {
        return plain;
    };
    if profile == Profile::Safe {
        said.no_store |= plain.no_store;
        said.private |= plain.private;
        said.is_unreadable |= plain.is_unreadable;
        said.no_cache_fields = plain.no_cache_fields;
    }
    said
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
    let mut said = CacheControl {
        is_present: true,
        is_targeted: true,
        ..CacheControl::default()
    };
    for (key, entry) in &dictionary {
        let ListEntry::Item(Item { bare_item, .. }) = entry else {
            continue;
        };
        // What restricts counts whatever its value; `?0` is still no permission.
        let is_on = *bare_item == BareItem::Boolean(true);
        match key.as_str() {
            "max-age" => said.max_age = Some(seconds(bare_item)?),
            "s-maxage" => said.s_maxage = Some(seconds(bare_item)?),
            "stale-while-revalidate" => said.stale_while_revalidate = Some(seconds(bare_item)?),
            "stale-if-error" => said.stale_if_error = Some(seconds(bare_item)?),
            "no-store" => said.no_store = true,
            "no-cache" => said.no_cache = true,
            "private" => said.private = true,
            "must-revalidate" => said.must_revalidate = true,
            "proxy-revalidate" => said.proxy_revalidate = true,
            "must-understand" => said.must_understand = true,
            "public" => said.public = is_on,
            _ => {}
        }
    }
    Some(said)
}

fn seconds(item: &BareItem) -> Option<u64> {
    let BareItem::Integer(seconds) = item else {
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

    fn said(profile: Profile, targeted: &str, plain: &str) -> CacheControl {
        let mut headers = HeaderMap::new();
        headers.append(CDN, targeted.parse().unwrap());
        headers.append("cache-control", plain.parse().unwrap());
        directives(profile, &[CDN], &headers)
    }

    #[test]
    fn a_targeted_field_goes_before_cache_control() {
        let said = said(
            Profile::Rfc,
            "foobar, max-age=60, public",
            "max-age=1, no-store",
        );
        assert_eq!(
            (said.max_age, said.no_store, said.public),
            (Some(60), false, true)
        );
        assert!(said.is_targeted);
    }

    #[test]
    fn in_the_safe_profile_no_store_and_private_count_wherever_they_stand() {
        assert!(said(Profile::Safe, "max-age=60", "no-store").no_store);
        assert!(said(Profile::Safe, "max-age=60", "private").private);
        assert!(said(Profile::Rfc, "no-store", "max-age=60").no_store);
    }

    #[test]
    fn a_broken_one_is_as_if_it_were_not_there() {
        for broken in [
            "",
            "max-age=60, &",
            "max-age=\"60\"",
            "max-age =60",
            "MAX-AGE=60",
            "\u{e9}",
        ] {
            assert_eq!(
                said(Profile::Rfc, broken, "max-age=1").max_age,
                Some(1),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_time_is_within_its_bounds() {
        assert_eq!(said(Profile::Rfc, "max-age=-1", "").max_age, Some(0));
        assert_eq!(
            said(Profile::Rfc, "max-age=99999999999", "").max_age,
            Some(MAX_DELTA)
        );
    }

    proptest! {
        #[test]
        fn no_field_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.append(CDN, value);
                let _ = directives(Profile::Rfc, &[CDN], &headers);
            }
        }
    }
}
