//! The header fields that describe a limit to the client.

use std::io::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{ItemSerializer, KeyRef, StringRef};

use crate::{Decision, Quota};

/// The header fields that describe the limit, on every response of the layer.
///
/// Every refusal has `Retry-After` too, whichever is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Headers {
    /// No such fields.
    None,
    /// `RateLimit-Policy` and `RateLimit`, by draft-ietf-httpapi-ratelimit-headers-11.
    ///
    /// Both are lists. They are appended to what the response has, so a response names the limits of
    /// all layers it passed.
    ///
    /// - `RateLimit-Policy: "pages";q=100;w=60` means 100 units for each 60 seconds. `w` is left out
    ///   if the period is not whole seconds. A burst that differs from the limit is added as
    ///   `larder-burst`.
    /// - `RateLimit: "pages";r=42;t=1` means that 42 units are left for the next second: `t` is the
    ///   time until one more unit comes back, in whole seconds, rounded up. A refusal's `Retry-After`
    ///   never ends before it (section 6).
    #[default]
    Draft11,
}

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The longest `RateLimit` value: a name of 32 in quotes, a u32 and seconds of 100 years.
const MAX_VALUE: usize = 96;

/// The fields of one policy. What never changes is written once.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    policy: HeaderValue,
    /// The name of the policy as a structured string, in quotes.
    name: Box<str>,
}

impl Fields {
    pub(super) fn new(policy: &str, quota: Quota) -> Self {
        // The name of a policy is ASCII, and so is the item: neither fallback is ever taken.
        let name = StringRef::from_str(policy).unwrap_or(StringRef::EMPTY);
        let nothing = |_| HeaderValue::from_static("");
        // A list of one member is written as the member.
        let mut item = ItemSerializer::new()
            .bare_item(name)
            .parameter(key("q"), quota.limit());
        if let Some(window) = whole_seconds(quota.period()) {
            item = item.parameter(key("w"), window);
        }
        if quota.burst() != quota.limit() {
            item = item.parameter(key("larder-burst"), quota.burst());
        }
        Self {
            policy: HeaderValue::try_from(item.finish()).unwrap_or_else(nothing),
            name: ItemSerializer::new().bare_item(name).finish().into(),
        }
    }

    /// Appends both fields.
    pub(super) fn append(&self, more: Duration, decision: &Decision, headers: &mut HeaderMap) {
        headers.append(RATELIMIT_POLICY, self.policy.clone());
        if let Some(limit) = self.limit(more, decision) {
            headers.append(RATELIMIT, limit);
        }
    }

    /// Writes the `RateLimit` value by hand: a serializer would allocate for each response. A test
    /// compares the two.
    fn limit(&self, more: Duration, decision: &Decision) -> Option<HeaderValue> {
        let window = seconds_up(more);
        let mut buffer = [0_u8; MAX_VALUE];
        let mut left = &mut buffer[..];
        left.write_all(self.name.as_bytes()).ok()?;
        left.write_all(b";r=").ok()?;
        write_int(&mut left, u64::from(decision.remaining()))?;
        left.write_all(b";t=").ok()?;
        write_int(&mut left, window)?;
        let written = MAX_VALUE - left.len();
        HeaderValue::from_bytes(&buffer[..written]).ok()
    }
}

/// Returns whole seconds, rounded up.
pub(super) fn seconds_up(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn whole_seconds(period: Duration) -> Option<u32> {
    let seconds = u32::try_from(period.as_secs()).ok()?;
    (period.subsec_nanos() == 0).then_some(seconds)
}

/// Writes decimal digits without the cost of `fmt`.
fn write_int(out: &mut &mut [u8], mut int: u64) -> Option<()> {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // A remainder below ten.
        digits[at] = b'0' + (int % 10) as u8;
        int /= 10;
        if int == 0 {
            return out.write_all(&digits[at..]).ok();
        }
    }
}

const fn key(name: &'static str) -> &'static KeyRef {
    KeyRef::constant(name)
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;
    use crate::Gcra;

    fn policy(quota: Quota) -> String {
        let fields = Fields::new("api", quota);
        fields.policy.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_policy_names_its_quota_and_its_window() {
        assert_eq!(policy(Quota::per_minute(100)), r#""api";q=100;w=60"#);
        assert_eq!(
            policy(Quota::per_hour(100).with_burst(5)),
            r#""api";q=100;w=3600;larder-burst=5"#
        );
    }

    #[test]
    fn a_window_that_is_not_whole_seconds_is_left_out() {
        let quota = Quota::new(3, Duration::from_millis(1500));
        assert_eq!(policy(quota), r#""api";q=3"#);
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (span, seconds) in [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2)] {
            assert_eq!(seconds_up(Duration::from_micros(span)), seconds);
        }
    }

    proptest! {
        #[test]
        fn the_value_written_by_hand_equals_the_serialized_one(
            limit in 1_u32..1_000_000,
            burst in 1_u32..10_000,
            used in 0_i64..10_000,
        ) {
            let quota = Quota::per_hour(limit).with_burst(burst);
            let gcra = Gcra::new(quota, 1).unwrap();
            let decision = gcra.peek(Some(used * 777), 0);
            let fields = Fields::new("a-policy.of_32-characters-length", quota);

            let serialized = ItemSerializer::new()
                .bare_item(StringRef::from_str("a-policy.of_32-characters-length").unwrap())
                .parameter(key("r"), decision.remaining())
                .parameter(key("t"), seconds_up(gcra.until_more(&decision)) as u32)
                .finish();
            let by_hand = fields.limit(gcra.until_more(&decision), &decision).unwrap();
            prop_assert_eq!(by_hand.to_str().unwrap(), serialized);
        }
    }
}
