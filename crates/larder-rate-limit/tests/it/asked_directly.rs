//! What an application may ask of the parts of a limit.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request};
use larder_rate_limit::{
    Ban, ClientAddress, FailMode, KeyBy, Limit, LocalStore, NetworkList, PeerAddr, Policy, Quota,
    RateLimitLayer, RateLimiter, Reason, RequestHead, TrustedProxies,
};
use larder_store::ErrorKind;
use tower::{Layer, ServiceExt};

use crate::support::{App, Behavior, ScriptedStore, from, hello, limiter, model, with};

#[test]
fn a_list_of_networks_says_whether_it_is_empty() {
    let list = NetworkList::new([]);
    assert!(list.is_empty());
    list.replace(["192.0.2.0/24".parse().unwrap()]);
    assert!(!list.is_empty());
}

#[test]
fn the_address_of_a_client_is_found_as_access_lists_find_it() {
    let proxies = "10.0.0.0/8".parse().unwrap();
    let proxies = TrustedProxies::x_forwarded_for(proxies);
    let forwarded = || with(from("10.0.0.1"), "x-forwarded-for", "198.51.100.7");
    for (address, request, found) in [
        (ClientAddress::peer(), forwarded(), Some("10.0.0.1")),
        (
            ClientAddress::forwarded(proxies),
            forwarded(),
            Some("198.51.100.7"),
        ),
        (ClientAddress::peer_found_by(|_| None), forwarded(), None),
        (ClientAddress::peer(), Request::new(()), None),
    ] {
        let found = found.map(|it| it.parse().unwrap());
        assert_eq!(address.find(&request.into_parts().0), found, "{address:?}");
    }
}

#[test]
fn debug_shows_how_an_address_is_found_and_shows_none() {
    let proxies = TrustedProxies::x_forwarded_for("10.0.0.0/8".parse().unwrap());
    let peer = PeerAddr("192.0.2.1:80".parse().unwrap());
    let list: NetworkList = "192.0.2.0/24".parse().unwrap();
    let shown = [
        format!("{:?}", ClientAddress::peer()),
        format!("{:?}", ClientAddress::forwarded(proxies)),
        format!("{peer:?} {list:?}"),
    ];
    let expected = [
        "ClientAddress::peer",
        "ClientAddress::forwarded",
        "PeerAddr NetworkList",
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_function_of_a_request_sees_its_head() {
    let seen = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&seen);
    let note = move |request: &RequestHead<'_>| {
        let peer = PeerAddr::find(request.extensions());
        let header = request.headers().get("x-units");
        let (method, uri) = (request.method(), request.uri());
        *noted.lock().unwrap() = format!("{method} {uri} {header:?} {peer:?} {request:?}");
        1
    };
    let (store, _) = model();
    let limit = Limit::new(limiter(store, Quota::per_hour(10)), KeyBy::peer()).with_cost_by(note);
    let layer = RateLimitLayer::of(limit);
    let mut request = with(from("192.0.2.1"), "x-units", "4");
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = "/a".parse().unwrap();
    layer.layer(hello()).oneshot(request).await.unwrap();
    let expected = r#"PUT /a Some("4") Some(192.0.2.1) RequestHead { method: PUT, .. }"#;
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_visitor_who_is_banned_has_nothing_back_before_the_ban_is_over() {
    let minute = Duration::from_secs(60);
    let policy = Policy::new(Quota::per_second(1)).with_ban(Ban::after(1, minute, minute));
    let limiter = RateLimiter::new(model().0, "test", policy).unwrap();
    assert!(limiter.check("ada").await.unwrap().is_allowed());
    for _ in 0..2 {
        let banned = limiter.check("ada").await.unwrap();
        assert_eq!(banned.reason(), Some(Reason::Ban));
        assert_eq!((banned.retry_after(), banned.reset()), (minute, minute));
    }
}

#[tokio::test]
async fn a_share_of_a_quota_comes_back_as_slowly_as_its_part_of_the_limit() {
    let (here, clock) = model();
    let local = LocalStore::new(here).unwrap();
    let local = local.with_share_of(NonZeroU32::new(4).unwrap());
    let away = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    // Three an hour for each of four processes: one every twenty minutes.
    let layer = RateLimitLayer::new(limiter(away, Quota::per_hour(12)), KeyBy::peer());
    let app = App::new(layer.with_fail_mode(FailMode::Local(local)));
    let minute = Duration::from_secs(60);
    for (wait, status) in [(0, 200), (0, 200), (0, 200), (19, 429), (1, 200), (0, 429)] {
        clock.advance(wait * minute);
        assert_eq!(
            app.status("192.0.2.1").await,
            status,
            "after {wait} minutes more"
        );
    }
}
