//! The policies that sequences draw from.

use std::time::Duration;

use larder_rate_limit::{Ban, Calendar, Policy, Quota, QuotaChange, Rule, Window};
use larder_store::Timestamp;

/// The times of all policies, at whose ends something comes back.
pub(super) const TIMES: [u64; 4] = [4, 6, 8, 10];

/// Where the policy with permits is, and the one with reservations.
pub(super) const PERMITS: usize = 6;
pub(super) const RESERVATIONS: usize = 7;

/// Where those with the windows of a calendar begin.
pub(super) const CALENDARS: usize = 8;

pub(super) const POLICIES: usize = 11;

/// The midnight at which windows of all calendars end, soon after a sequence has begun: 1 June 2026, a Monday, in
/// Honolulu, and 2 June in Kiritimati.
pub(in crate::model) const MIDNIGHT: Timestamp = Timestamp::from_micros(1_780_308_000_000_000);

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Makes the policy with this number, with `limit` or a few more units.
pub(super) fn policy(number: usize, limit: u32) -> Policy {
    let quota = Quota::new(limit, millis(8));
    match number {
        0 => quota.into(),
        1 => Rule::fixed_window(limit, Window::every(millis(10))).into(),
        2 => Policy::new(Rule::fixed_window(limit, Window::from_first(millis(6))))
            .with_quota_change(QuotaChange::Reset),
        3 => Policy::new(Rule::sliding_window(limit, millis(8)))
            .with_quota_change(QuotaChange::Proportional),
        4 => Rule::sliding_log(limit, millis(10)).into(),
        PERMITS => Policy::new(Rule::concurrency(limit, millis(6)))
            .and(Rule::fixed_window(limit + 2, Window::every(millis(4)))),
        RESERVATIONS => Policy::new(Rule::token_bucket(quota))
            .and(Rule::sliding_log(limit + 1, millis(10)))
            .with_reservations(millis(6)),
        CALENDARS => by(limit, Calendar::daily("Pacific/Kiritimati")).into(),
        9 => Policy::new(by(limit + 1, Calendar::weekly("Pacific/Honolulu")))
            .and(quota)
            .with_quota_change(QuotaChange::Proportional),
        10 => Policy::new(by(limit, Calendar::monthly("Pacific/Honolulu")))
            .with_reservations(millis(6)),
        _ => Policy::new(quota)
            .and(Rule::sliding_window(limit + 1, millis(10)))
            .and(Rule::sliding_log(limit + 2, millis(10)))
            .with_ban(Ban::after(2, millis(10), millis(6))),
    }
}

fn by(limit: u32, calendar: larder_store::Result<Calendar>) -> Rule {
    Rule::fixed_window(limit, calendar.expect("a known zone").into())
}
