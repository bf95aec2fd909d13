//! What a request holds, over HTTP on every store: places, until the body ends, and reservations.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use larder_rate_limit::{
    Decision, KeyBy, Limit, Network, Policy, Quota, RateLimitLayer, RateLimiter, Reason, Rule,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{App, from, hello, layer, lines};
use crate::world::on_every_store;

const HOUR: Duration = Duration::from_secs(3_600);
const ANN: &str = "192.0.2.1";

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn panics() -> Answer {
    panic!("as it was told to")
}

/// Asks until a request passes: over a network a place comes back in the background.
async fn passes_soon(app: &App) -> bool {
    for _ in 0..2_000 {
        if app.status(ANN).await == 200 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

/// Sends a request to a service that never answers, and returns it when it is there.
async fn inside(layer: &RateLimitLayer) -> JoinHandle<()> {
    let arrived = Arc::new(Notify::new());
    let notifies = arrived.clone();
    let stuck = service_fn(move |_: Request<()>| {
        notifies.notify_one();
        std::future::pending::<Answer>()
    });
    let request = layer.layer(stuck).oneshot(from(ANN));
    let sent = tokio::spawn(async move { drop(request.await) });
    arrived.notified().await;
    sent
}

/// How many units are left to the visitor who comes from that address.
async fn left(limiter: &RateLimiter) -> u32 {
    let ann = ("ip", Network::of(ANN.parse().unwrap()));
    limiter.peek(ann).await.unwrap().remaining()
}

on_every_store! {
    async fn a_place_is_held_until_the_body_ends_or_is_dropped(world: World) {
        let reports = world.limiter(Rule::concurrency(1, HOUR));
        let pages = world.named("pages", Quota::per_hour(1_000));
        for layer in [
            layer(reports.clone(), KeyBy::peer()),
            layer(pages, KeyBy::peer()).and(Limit::new(reports, KeyBy::peer())),
        ] {
            let service = layer.layer(hello());
            let send = || service.clone().oneshot(from(ANN));
            for reads_to_the_end in [true, false, true] {
                let mut first = send().await.unwrap();
                // Over a network a place comes back in the background.
                while !first.status().is_success() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    first = send().await.unwrap();
                }
                let refused = send().await.unwrap();
                assert_eq!(refused.status(), 429);
                let decision = refused.extensions().get::<Decision>();
                assert_eq!(decision.unwrap().reason(), Some(Reason::Concurrency));
                let mut body = first.into_body();
                if reads_to_the_end {
                    while body.frame().await.is_some() {}
                    let mut again = send().await.unwrap();
                    while !again.status().is_success() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        again = send().await.unwrap();
                    }
                }
            }
        }
    }

    async fn a_place_comes_back_when_the_client_leaves_before_the_response(world: World) {
        let layer = layer(world.limiter(Rule::concurrency(1, HOUR)), KeyBy::peer());
        let leaves = inside(&layer).await;
        let app = App::new(layer);
        assert_eq!(app.status(ANN).await, 429);
        leaves.abort();
        assert!(passes_soon(&app).await);
    }

    async fn a_place_beside_a_reservation_is_held_until_the_body_ends(world: World) {
        let tokens = world.named("tokens", Policy::new(Quota::per_hour(100)).with_reservations(HOUR));
        let places = world.named("places", Rule::concurrency(1, HOUR));
        let layer = layer(tokens, KeyBy::peer())
            .and(Limit::new(places, KeyBy::peer()))
            .with_settled_cost(|_| Some(7));
        let service = layer.layer(hello());
        let send = || service.clone().oneshot(from(ANN));
        let first = send().await.unwrap();
        let settled = lines(first.headers(), "ratelimit").join(", ");
        assert!(settled.contains("r=93"), "{settled}");
        assert_eq!(send().await.unwrap().status(), 429);
        drop(first);
        while !send().await.unwrap().status().is_success() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn a_place_comes_back_when_the_service_panics(world: World) {
        let layer = layer(world.limiter(Rule::concurrency(1, HOUR)), KeyBy::peer());
        let panics = service_fn(|_: Request<()>| async { panics() });
        let serves = tokio::spawn(layer.layer(panics).oneshot(from(ANN)));
        assert!(serves.await.unwrap_err().is_panic());
        assert!(passes_soon(&App::new(layer)).await);
    }

    async fn a_place_of_a_body_that_is_lost_comes_back_with_its_lease(world: World) {
        let layer = layer(world.limiter(Rule::concurrency(1, HOUR)), KeyBy::peer());
        let response = layer.layer(hello()).oneshot(from(ANN)).await.unwrap();
        std::mem::forget(response.into_body());
        let app = App::new(layer);
        world.advance(HOUR - Duration::from_micros(1));
        assert_eq!(app.status(ANN).await, 429);
        world.advance(Duration::from_micros(1));
        assert_eq!(app.status(ANN).await, 200);
    }

    async fn what_a_request_reserves_is_back_after_the_ttl_if_the_client_leaves(world: World) {
        let tokens = world.limiter(Policy::new(Quota::per_hour(100)).with_reservations(HOUR / 60));
        let limit = Limit::new(tokens.clone(), KeyBy::peer()).with_cost_by(|_| 30);
        let pages = world.named("pages", Policy::unlimited());
        let layer = layer(pages, KeyBy::everybody()).and(limit).with_settled_cost(|_| Some(5));
        let leaves = inside(&layer).await;
        assert_eq!(left(&tokens).await, 70);
        leaves.abort();
        assert!(leaves.await.unwrap_err().is_cancelled());
        world.advance(HOUR / 60);
        assert_eq!(left(&tokens).await, 100);
    }
}
