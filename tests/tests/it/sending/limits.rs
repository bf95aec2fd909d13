//! Rate limits.

use std::time::Duration;

use larder::rate_limit::{
    Decision, Decisions, Grant, Limits, Permit, Plans, Policy, RateLimiter, Report, Reservation,
};

use super::{assert_send, send_and_sync};

fn checks(limiter: &RateLimiter, decision: Decision, within: Duration) {
    sent! {
        limiter.check("a");
        limiter.check_cost("a", 1);
        limiter.check_rules("a");
        limiter.peek("a");
        limiter.inspect("a");
        limiter.refund("a", decision);
        limiter.until_ready("a", within);
        limiter.acquire("a");
        limiter.acquire_within("a", within);
        limiter.reserve("a", 1);
    }
}

fn desk(limiter: &RateLimiter, lasts: Duration) {
    sent! {
        limiter.set("a", 1);
        limiter.reset("a");
        limiter.ban("a", lasts);
        limiter.forgive("a");
        limiter.ban_record(limiter.key("a"), lasts);
        limiter.forgive_record(limiter.key("a"));
    }
}

fn held(permits: [Permit; 2], reservations: [Reservation; 3]) {
    let [renewed, released] = permits;
    let [kept, settled, cancelled] = reservations;
    sent! {
        renewed.renew();
        released.release();
        kept.renew();
        settled.settle(1);
        cancelled.cancel();
    }
}

fn together(limits: &Limits<'_>) {
    sent! {
        limits.check();
    }
}

#[test]
fn every_future_of_a_rate_limit_can_be_sent() {
    let _ = (checks, desk, held, together);
    send_and_sync::<(Policy, Plans, Report, Decisions, Limits<'_>)>();
    send_and_sync::<(Permit, Reservation, Grant<Permit>)>();
}
