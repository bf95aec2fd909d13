//! Settings of a layer that have no effect, which it logs.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_rate_limit::{KeyBy, Limit, Plans, Policy, Quota, RateLimitLayer, RateLimiter};
use tower::Layer;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{hello, limiter, model};

/// The warnings of a test, one line each.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<String>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        lines.lines().map(str::to_owned).collect()
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let _ = writeln!(self.0.lock().unwrap(), "{}", line.0);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

fn tokens(policy: impl Into<Policy>) -> RateLimiter {
    RateLimiter::new(model().0, "tokens", policy).unwrap()
}

#[test]
fn a_replaced_limit_that_the_layer_does_not_have_is_logged_once() {
    let warnings = Warnings::default();
    let _guard = larder_test::subscribe(warnings.clone());
    let pages = limiter(model().0, Quota::per_hour(1));
    let partners =
        |replaced| Limit::new(tokens(Quota::per_hour(9)), KeyBy::peer()).with_replaced(replaced);
    for replaced in ["typo", "tokens"] {
        let layer = RateLimitLayer::new(pages.clone(), KeyBy::peer()).and(partners(replaced));
        drop((
            layer.layer(hello()),
            layer.layer(hello()),
            layer.clone().layer(hello()),
        ));
        let logged = warnings.take();
        assert_eq!(logged.len(), 1, "{logged:?}");
        let names = format!("policy=\"tokens\" replaced=\"{replaced}\"");
        assert!(logged[0].contains(&names), "{logged:?}");
    }
    let layer = RateLimitLayer::new(pages, KeyBy::peer()).and(partners("test"));
    drop(layer.layer(hello()));
    assert_eq!(warnings.take(), [""; 0]);
}

#[test]
fn a_settled_cost_that_no_limit_can_settle_is_logged_once() {
    let warnings = Warnings::default();
    let _guard = larder_test::subscribe(warnings.clone());
    let settled = |limiter: RateLimiter| {
        RateLimitLayer::new(limiter, KeyBy::peer()).with_settled_cost(|_| Some(1))
    };
    let quota = Quota::per_hour(9);
    let layer = settled(tokens(quota));
    drop((layer.layer(hello()), layer.layer(hello())));
    let logged = warnings.take();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("policy=\"tokens\""), "{logged:?}");
    assert!(
        logged[0].contains("Policy::with_reservations"),
        "{logged:?}"
    );

    let reserves = tokens(Policy::new(quota).with_reservations(Duration::from_secs(60)));
    let plans = Plans::new(|_| async { Ok::<_, std::io::Error>(Policy::unlimited()) });
    for limiter in [
        reserves.clone(),
        tokens(quota).with_plans(plans).unwrap(),
        tokens(Policy::unlimited()),
    ] {
        drop(settled(limiter).layer(hello()));
    }
    let one_of_two = settled(limiter(model().0, quota)).and(Limit::new(reserves, KeyBy::peer()));
    drop(one_of_two.layer(hello()));
    assert_eq!(warnings.take(), [""; 0]);
}
