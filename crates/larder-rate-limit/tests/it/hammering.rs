//! Clients that keep asking, over HTTP: what they do postpones nothing.

use std::time::Duration;

use larder_rate_limit::{Decision, KeyBy, Policy};

use crate::algorithms::each;
use crate::support::{App, from, layer, lines};
use crate::world::on_every_store;

const HOUR: Duration = Duration::from_secs(3_600);
const ANN: &str = "192.0.2.1";

/// Each algorithm with a limit of four.
fn policies() -> Vec<(&'static str, Policy)> {
    let policies = each(4, HOUR).into_iter();
    #[cfg(feature = "calendar")]
    let policies = policies.chain({
        use larder_rate_limit::{Calendar, Rule};
        let by = |calendar: Calendar| Rule::fixed_window(4, calendar.into()).into();
        let zone = "Europe/Zurich";
        [
            ("daily", by(Calendar::daily(zone).unwrap())),
            ("weekly", by(Calendar::weekly(zone).unwrap())),
        ]
    });
    policies.collect()
}

on_every_store! {
    async fn a_client_that_keeps_asking_passes_as_early_as_one_that_waits(world: World) {
        for (name, policy) in policies() {
            let app = App::new(layer(world.named(name, policy), KeyBy::peer()));
            for _ in 0..4 {
                assert_eq!(app.status(ANN).await, 200, "{name}");
            }
            let mut told = Vec::new();
            for _ in 0..50 {
                let refused = app.send(from(ANN)).await;
                assert_eq!(refused.status(), 429, "{name}");
                let decision = refused.extensions().get::<Decision>().unwrap();
                let retry_after = lines(refused.headers(), "retry-after")[0].to_owned();
                told.push((decision.retry_after(), decision.reset(), retry_after));
            }
            let wait = told[0].0;
            assert!(told.iter().all(|again| *again == told[0]), "{name}: {told:?}");
            world.advance(wait - Duration::from_micros(1));
            assert_eq!(app.status(ANN).await, 429, "{name}");
            world.advance(Duration::from_micros(1));
            assert_eq!(app.status(ANN).await, 200, "{name}");
        }
    }
}
