//! The header fields that describe a limit to the client.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{ItemSerializer, KeyRef, StringRef};

use crate::rule::{Algorithm, Rule};
use crate::window::Window;
use crate::{Decision, Reason};

/// The header fields that describe the limit on a layer's responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Headers {
    /// No fields at all, not even on refusals.
    None,
    /// `Retry-After` on refusals, and no fields that describe the limit.
    RetryAfter,
    /// `RateLimit-Policy` and `RateLimit`, by draft-ietf-httpapi-ratelimit-headers-11, and `Retry-After`
    /// on refusals.
    ///
    /// Both are lists. They are appended to those of the response, so a response names the limits of all layers
    /// that it passed.
    ///
    /// - `RateLimit-Policy: "pages";q=100;w=60` means 100 units per 60 seconds. `w` is omitted if the period
    ///   is not whole seconds, and for a calendar, whose days and months differ. A burst that differs from the
    ///   limit is added as `larder-burst`, and for a concurrency rule `qu="concurrent-requests"` says what is
    ///   counted. The second rule of a policy is named `"pages:2"`.
    /// - `RateLimit: "pages";r=42;t=1` means that 42 units are left for the next second: `t` is the time until one
    ///   more unit comes back, in whole seconds, rounded up. A refusal's `Retry-After` never ends before it
    ///   (section 6). For a policy with several rules it describes the deciding rule.
    #[default]
    Draft11,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, and `Retry-After` on
    /// refusals.
    ///
    /// They describe one limit: if a response passed several, the one with the fewest units left. `Limit` is the
    /// burst, `Remaining` how many of its units are left, and `Reset` when the whole burst is available again.
    Legacy(LegacyReset),
}

/// The format of `X-RateLimit-Reset`. There is no specification, so clients expect either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyReset {
    /// The seconds until then, rounded up.
    Seconds,
    /// The moment, as seconds since the Unix epoch by this machine's clock, rounded up.
    Epoch,
}

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The fields of one limiter. Constant ones are written once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fields {
    policy: HeaderValue,
    rules: Box<[RuleFields]>,
}

/// The number of different fields that are kept for as long as the process runs: 1,024.
///
/// Responses share them without reference counting, which would contend for a cache line.
const MAX_KEPT: usize = 1_024;

/// The content of a `RateLimit` field for a decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    units: u32,
    seconds: u32,
    rule: u8,
}

#[derive(Clone, Debug, PartialEq)]
struct RuleFields {
    /// The beginning of a `RateLimit` value: the name as a structured string, and `;r=`.
    remaining: Box<str>,
    burst: u32,
}

impl Fields {
    pub(crate) fn of(policy: &str, rules: &[Rule]) -> Self {
        let names: Vec<_> = (1..=rules.len())
            .map(|number| match number {
                1 => policy.to_owned(),
                number => format!("{policy}:{number}"),
            })
            .collect();
        let items: Vec<_> = names
            .iter()
            .zip(rules)
            .map(|(name, rule)| item(name, rule))
            .collect();
        // The names of policies are ASCII, and so are the items: no fallback is ever taken.
        let nothing = |_| HeaderValue::from_static("");
        let each = names.iter().zip(rules).map(|(name, rule)| RuleFields {
            remaining: format!(
                "{};r=",
                ItemSerializer::new().bare_item(text(name)).finish()
            )
            .into(),
            burst: rule.quota().burst(),
        });
        Self {
            policy: HeaderValue::try_from(items.join(", ")).unwrap_or_else(nothing),
            rules: each.collect(),
        }
    }

    /// Returns the same fields, kept for as long as the process runs if there is room.
    pub(crate) fn kept(self) -> Cow<'static, Self> {
        static KEPT: Mutex<Vec<&'static Fields>> = Mutex::new(Vec::new());
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = kept.iter().find(|other| ***other == self) {
            return Cow::Borrowed(*same);
        }
        if kept.len() >= MAX_KEPT {
            return Cow::Owned(self);
        }
        let policy: &'static [u8] = Vec::leak(self.policy.as_bytes().to_vec());
        let Ok(policy) = HeaderValue::from_maybe_shared(Bytes::from_static(policy)) else {
            return Cow::Owned(self);
        };
        let fields: &'static Self = Box::leak(Box::new(Self { policy, ..self }));
        kept.push(fields);
        Cow::Borrowed(fields)
    }

    /// Appends the fields of draft 11.
    pub(crate) fn append(&self, left: Left, headers: &mut HeaderMap) {
        let rule = self.rules.get(usize::from(left.rule));
        if let Some(limit) = rule.and_then(|rule| rule.limit(left.units, left.seconds)) {
            headers.append(RATELIMIT_POLICY, self.policy.clone());
            headers.append(RATELIMIT, limit);
        }
    }

    /// Sets the legacy fields, unless those of an inner limit leave less.
    pub(crate) fn set_legacy(
        &self,
        reset: LegacyReset,
        decision: &Decision,
        headers: &mut HeaderMap,
    ) {
        let Some(rule) = self.rules.get(decision.rule()) else {
            return;
        };
        let there = headers
            .get(X_REMAINING)
            .and_then(|left| left.to_str().ok()?.parse().ok());
        let left = match decision.reason() {
            Some(Reason::Ban) => 0,
            _ => decision.remaining(),
        };
        if there.is_some_and(|there: u32| there < left) {
            return;
        }
        let until = match reset {
            LegacyReset::Seconds => decision.reset(),
            LegacyReset::Epoch => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                now.unwrap_or_default() + decision.reset()
            }
        };
        headers.insert(X_LIMIT, rule.burst.into());
        headers.insert(X_REMAINING, left.into());
        headers.insert(X_RESET, seconds_up(until).into());
    }
}

impl Left {
    /// `more` is the time until one more unit comes back.
    #[inline]
    pub(crate) fn after(decision: &Decision, more: Duration) -> Self {
        // A visitor who is banned has nothing left until the ban is over.
        let (units, more) = match decision.reason() {
            Some(Reason::Ban) => (0, decision.retry_after()),
            _ => (decision.remaining(), more),
        };
        Self {
            units,
            // The seconds of 100 years fit.
            seconds: u32::try_from(seconds_up(more)).unwrap_or(u32::MAX),
            rule: decision.rule,
        }
    }
}

impl RuleFields {
    /// Writes the `RateLimit` value by hand: a serializer would allocate several times for each response. A test
    /// compares the two.
    fn limit(&self, remaining: u32, window: u32) -> Option<HeaderValue> {
        let (mut left, mut seconds) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (left, seconds) = (left.format(remaining), seconds.format(window));
        let pieces = [&*self.remaining, left, ";t=", seconds];
        // Allocated with the exact length, so that it becomes the value without a copy.
        let mut value = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            value.extend_from_slice(piece.as_bytes());
        }
        HeaderValue::from_maybe_shared(Bytes::from(value)).ok()
    }
}

/// Returns the member of `RateLimit-Policy` for a rule.
fn item(name: &str, rule: &Rule) -> String {
    let quota = rule.quota();
    let mut item = ItemSerializer::new()
        .bare_item(text(name))
        .parameter(key("q"), quota.limit());
    if rule.algorithm() == Algorithm::Concurrency {
        // The period of such a rule is a lease, and tells a client nothing.
        item = item.parameter(key("qu"), text("concurrent-requests"));
        return item.finish();
    }
    let is_fixed = rule.window().is_none_or(Window::is_of_one_length);
    if let Some(window) = whole_seconds(quota.period()).filter(|_| is_fixed) {
        item = item.parameter(key("w"), window);
    }
    if quota.burst() != quota.limit() {
        item = item.parameter(key("larder-burst"), quota.burst());
    }
    item.finish()
}

/// Returns the name of a policy as a structured string. It is ASCII, so the fallback is never taken.
fn text(name: &str) -> &StringRef {
    StringRef::from_str(name).unwrap_or(StringRef::EMPTY)
}

/// Returns whole seconds, rounded up.
pub(crate) fn seconds_up(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn whole_seconds(period: Duration) -> Option<u32> {
    let seconds = u32::try_from(period.as_secs()).ok()?;
    (period.subsec_nanos() == 0).then_some(seconds)
}

const fn key(name: &'static str) -> &'static KeyRef {
    KeyRef::constant(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Quota;

    const MINUTE: Duration = Duration::from_secs(60);

    fn policy(rules: &[Rule]) -> String {
        let fields = Fields::of("api", rules);
        fields.policy.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_policy_names_its_quota_and_its_window() {
        assert_eq!(
            policy(&[Quota::per_minute(100).into()]),
            r#""api";q=100;w=60"#
        );
        assert_eq!(
            policy(&[Quota::per_hour(100).with_burst(5).into()]),
            r#""api";q=100;w=3600;larder-burst=5"#
        );
    }

    #[test]
    fn the_policy_names_each_of_its_rules() {
        let rules = [
            Rule::sliding_log(3, MINUTE),
            Rule::fixed_window(50, Window::from_first(60 * MINUTE)),
            Rule::concurrency(2, MINUTE),
        ];
        assert_eq!(
            policy(&rules),
            r#""api";q=3;w=60, "api:2";q=50;w=3600, "api:3";q=2;qu="concurrent-requests""#
        );
    }

    #[test]
    fn a_window_that_is_not_whole_seconds_is_left_out() {
        let quota = Quota::new(3, Duration::from_millis(1500));
        assert_eq!(policy(&[quota.into()]), r#""api";q=3"#);
    }

    #[cfg(feature = "calendar")]
    #[test]
    fn a_calendar_has_no_window_of_one_length() {
        let monthly = crate::Calendar::monthly("UTC").unwrap();
        let rule = Rule::fixed_window(5, monthly.into());
        assert_eq!(policy(&[rule]), r#""api";q=5"#);
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
            remaining: u32,
            window in 0_u32..,
        ) {
            let name = "a-policy.of_32-characters-length:8";
            let fields = Fields::of(name, &[Quota::per_hour(1).into()]);
            let serialized = ItemSerializer::new()
                .bare_item(text(name))
                .parameter(key("r"), remaining)
                .parameter(key("t"), window)
                .finish();
            let by_hand = fields.rules[0].limit(remaining, window).unwrap();
            prop_assert_eq!(by_hand.to_str().unwrap(), serialized);
        }
    }
}
