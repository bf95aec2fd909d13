//! Networks that are allowed or denied, whatever a limit says.

use larder_rate_limit::{
    AccessLists, ClientAddress, Decision, KeyBy, NetworkList, Quota, RateLimitLayer, Reason,
    TrustedProxies,
};

use crate::support::{App, Behavior, ScriptedStore, from, limiter, lines, with};

fn list(networks: &str) -> NetworkList {
    networks.parse().unwrap()
}

/// A layer whose store never answers: whatever passes or is refused at once did not ask it.
fn app(lists: AccessLists) -> App {
    let limiter = limiter(
        ScriptedStore::new(Behavior::Hangs).store(),
        Quota::per_hour(1),
    );
    App::new(
        RateLimitLayer::new(limiter, KeyBy::peer())
            .with_fail_mode(larder_rate_limit::FailMode::Closed)
            .with_access_lists(lists),
    )
}

#[tokio::test(start_paused = true)]
async fn listed_networks_are_allowed_or_denied_without_the_store() {
    let denied = list("198.51.100.0/24, 203.0.113.0/24");
    let app = app(AccessLists::new(ClientAddress::peer())
        .with_allowed(list("192.0.2.0/24, 203.0.113.7"))
        .with_denied(denied.clone()));
    for (peer, status) in [
        ("192.0.2.9", 200),
        ("::ffff:192.0.2.9", 200),
        ("198.51.100.9", 403),
        ("64:ff9b::198.51.100.9", 403),
        // It is on both lists.
        ("203.0.113.7", 200),
        ("203.0.113.8", 403),
        // It is on neither, and the store fails.
        ("10.0.0.1", 503),
    ] {
        assert_eq!(app.status(peer).await, status, "{peer}");
    }
    let refused = app.send(from("198.51.100.9")).await;
    let decision = refused.extensions().get::<Decision>().unwrap();
    assert_eq!(decision.reason(), Some(Reason::Denied));
    for name in ["retry-after", "ratelimit"] {
        assert_eq!(lines(refused.headers(), name), [""; 0]);
    }
    let grpc = with(from("198.51.100.9"), "content-type", "application/grpc");
    assert_eq!(lines(app.send(grpc).await.headers(), "grpc-status"), ["7"]);
    // A feed replaces the list while it is in use.
    denied.replace(["10.0.0.0/8".parse().unwrap()]);
    for (peer, status) in [("198.51.100.9", 503), ("10.0.0.1", 403)] {
        assert_eq!(app.status(peer).await, status, "{peer}");
    }
}

#[tokio::test(start_paused = true)]
async fn behind_a_proxy_the_client_is_looked_up_and_a_forged_address_is_not() {
    let proxies = TrustedProxies::x_forwarded_for("10.0.0.0/8".parse().unwrap());
    let app = app(AccessLists::new(ClientAddress::forwarded(proxies))
        .with_allowed(list("192.0.2.0/24"))
        .with_denied(list("198.51.100.0/24")));
    for (peer, sent, status) in [
        ("10.0.0.1", "192.0.2.1", 200),
        ("10.0.0.1", "192.0.2.1, 198.51.100.1", 403),
        ("203.0.113.9", "192.0.2.1", 503),
        ("198.51.100.1", "192.0.2.1", 403),
    ] {
        let request = with(from(peer), "x-forwarded-for", sent);
        assert_eq!(app.send(request).await.status(), status, "{peer} {sent}");
    }
    assert_eq!(
        app.send(http::Request::new(())).await.status(),
        503,
        "no address is on no list"
    );
}
