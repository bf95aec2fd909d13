//! A whole service for signed-in users, with plain tower.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use larder_session::{RequireUserLayer, ReturnPath, SessionLayer, SignInPage, UserId};
use larder_store::ErrorKind;
use larder_test::faulty::Trouble;
use larder_test::service::{ReadyProbe, check_errors};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Browser, NAME, Time, World, on_both_stores};

/// Says who asks, and for what.
async fn page(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let user = request.extensions().get::<UserId>();
    let user = user.map_or("nobody", |user| user.as_str());
    Ok(Response::new(
        format!("{user} {}", request.uri().path()).into(),
    ))
}

type Club = BoxCloneSyncService<Request<()>, Response<Full<Bytes>>, Infallible>;

async fn whole<B>(response: Response<B>) -> Response<Full<Bytes>>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Full::new(body.collect().await.unwrap().to_bytes()))
}

fn club(world: &World, layer: RequireUserLayer) -> Club {
    let service = ServiceBuilder::new()
        .layer(SessionLayer::new(world.sessions()))
        .layer(layer)
        .service(service_fn(page));
    let service = service.and_then(async |response| Ok(whole(response).await));
    BoxCloneSyncService::new(service)
}

fn with_page() -> RequireUserLayer {
    RequireUserLayer::new().with_sign_in_page(SignInPage::new("/sign-in?lang=en").unwrap())
}

fn request(method: Method, path: &str, accept: &str, browser: &Browser) -> Request<()> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::ACCEPT, accept);
    let cookie = browser.cookie().map(|it| format!("{NAME}={it}"));
    let request = request.header(header::COOKIE, cookie.unwrap_or_default());
    request.body(()).unwrap()
}

async fn ask(club: &Club, request: Request<()>) -> (StatusCode, HeaderMap, String) {
    let response = club.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        parts.status,
        parts.headers,
        String::from_utf8(body.into()).unwrap(),
    )
}

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
const JSON: &str = "application/json";

on_both_stores! { Manual;
    async fn a_user_passes_an_api_gets_401_and_a_browser_the_sign_in_page(world: World) {
        let (site, user, nobody) = (world.site(), Browser::new(), Browser::new());
        user.read(&site, "/log-in/ada").await;
        let (api, pages) = (club(&world, RequireUserLayer::new()), club(&world, with_page()));
        for club in [&api, &pages] {
            for accept in [HTML, JSON] {
                let (status, headers, body) = ask(club, request(Method::GET, "/a", accept, &user)).await;
                assert_eq!((status, &*body), (StatusCode::OK, "ada /a"));
                assert_eq!(headers[header::VARY], "Cookie");
            }
            let (status, headers, body) = ask(club, request(Method::GET, "/a", JSON, &nobody)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
            assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
            assert_eq!(headers[header::WWW_AUTHENTICATE], "Cookie realm=\"session\"");
            assert!(body.contains("Nobody is signed in"), "{body}");
        }
        let (status, ..) = ask(&api, request(Method::GET, "/a", HTML, &nobody)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "there is no page to go to");
        for (method, next) in [
            (Method::GET, "&next=%2Fa%3Fb%3D1"),
            (Method::HEAD, "&next=%2Fa%3Fb%3D1"),
            // A link cannot send the form again.
            (Method::POST, ""),
        ] {
            let (status, headers, body) = ask(&pages, request(method, "/a?b=1", HTML, &nobody)).await;
            assert_eq!((status, &*body), (StatusCode::SEE_OTHER, ""));
            assert_eq!(headers[header::LOCATION], format!("/sign-in?lang=en{next}"));
            assert_eq!(headers[header::CACHE_CONTROL], "no-store");
            assert_eq!(headers[header::VARY], "Cookie");
        }
        let mut script = request(Method::GET, "/a", HTML, &nobody);
        script.headers_mut().insert("sec-fetch-mode", "cors".parse().unwrap());
        assert_eq!(ask(&pages, script).await.0, StatusCode::UNAUTHORIZED);
    }

    async fn a_session_that_ended_or_was_revoked_does_not_pass(world: World) {
        let (site, user) = (world.site(), Browser::new());
        let club = club(&world, RequireUserLayer::new());
        for end in ["/log-out", "/revoke-all"] {
            user.read(&site, "/log-in/ada").await;
            let before = user.copy();
            assert_eq!(ask(&club, request(Method::GET, "/a", JSON, &user)).await.0, StatusCode::OK);
            user.read(&site, end).await;
            let reply = ask(&club, request(Method::GET, "/a", JSON, &before)).await;
            assert_eq!(reply.0, StatusCode::UNAUTHORIZED, "{end}");
        }
    }

    async fn while_the_store_fails_the_answer_is_503_and_no_redirect(world: World) {
        let (site, user) = (world.site(), Browser::new());
        user.read(&site, "/log-in/ada").await;
        world.switch.set(Trouble::Fail(ErrorKind::NotSent));
        let club = club(&world, with_page());
        let (status, headers, _) = ask(&club, request(Method::GET, "/a", HTML, &user)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(headers.contains_key(header::RETRY_AFTER));
        // A request without a cookie asks no store.
        let (status, ..) = ask(&club, request(Method::GET, "/a", HTML, &Browser::new())).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
    }

    async fn no_address_that_is_asked_for_makes_the_redirect_lead_to_another_site(world: World) {
        let club = club(&world, with_page());
        let nobody = Browser::new();
        let hostile = [
            "//evil.example",
            "//evil.example/account",
            "///evil.example",
            "/.//evil.example",
            "/%2Fevil.example",
            "/%2f%2fevil.example",
            "/%5Cevil.example",
            "/%5c/evil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:a=b",
            "/%252Fevil.example",
            "/a/..//evil.example",
            "https://evil.example//evil.example",
        ];
        for asked in hostile {
            let (status, headers, _) = ask(&club, request(Method::GET, asked, HTML, &nobody)).await;
            assert_eq!(status, StatusCode::SEE_OTHER, "{asked}");
            assert_eq!(headers[header::LOCATION], "/sign-in?lang=en", "{asked}");
        }
        // The host that is asked for is not kept, and what is kept comes back as it was.
        for asked in ["https://evil.example/account?a=//b", "/account?a=//b", "/a%20b?c=%26next=%2F%2Fx"] {
            let (_, headers, _) = ask(&club, request(Method::GET, asked, HTML, &nobody)).await;
            let to = headers[header::LOCATION].to_str().unwrap();
            let next = to.strip_prefix("/sign-in?lang=en&next=").unwrap();
            assert!(!next.contains(['&', '/', ':']), "{next}");
            let next = percent_encoding::percent_decode_str(next).decode_utf8().unwrap();
            let path = asked.strip_prefix("https://evil.example").unwrap_or(asked);
            assert_eq!(ReturnPath::parse(&next).unwrap().as_str(), path);
        }
    }
}

#[tokio::test]
async fn the_sign_in_page_of_a_service_for_users_can_be_opened() {
    let world = World::memory(Time::Manual).await;
    let (club, nobody) = (club(&world, with_page()), Browser::new());
    for method in [Method::GET, Method::POST] {
        for asked in ["/sign-in?lang=en", "/sign-in?next=%2Fa&l%61ng=en"] {
            let asked = request(method.clone(), asked, HTML, &nobody);
            let (status, _, body) = ask(&club, asked).await;
            assert_eq!((status, &*body), (StatusCode::OK, "nobody /sign-in"));
        }
    }
    for other in [
        "/sign-in/",
        "/sign-in/a",
        "/SIGN-IN",
        "/%73ign-in",
        "/a?x=/sign-in",
    ] {
        let (status, ..) = ask(&club, request(Method::GET, other, HTML, &nobody)).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{other}");
    }
}

/// Which page is shown may depend on the query alone.
#[tokio::test]
async fn no_other_page_with_the_path_of_the_sign_in_page_can_be_opened() {
    let world = World::memory(Time::Manual).await;
    let nobody = Browser::new();
    let passes = async |page: SignInPage, asked: &str| {
        let club = club(&world, RequireUserLayer::new().with_sign_in_page(page));
        let asked = request(Method::GET, asked, HTML, &nobody);
        ask(&club, asked).await.0 == StatusCode::OK
    };
    let page = || SignInPage::new("/?view=sign-in&step=1").unwrap();
    for (asked, expected) in [
        ("/?view=sign-in&step=1", true),
        ("/?step=1&view=sign-in&next=%2Fa", true),
        ("/?step=1&view=sign%2Din", true),
        ("/", false),
        ("/?", false),
        ("/?view=secret", false),
        ("/?view=sign-in", false),
        ("/?view=sign-in&step=2", false),
        ("/?view=sign-in&step=1&view=secret", false),
        ("/?view=secret&view=sign-in&step=1", false),
        ("/?view=sign-in&step=1&vie%77=secret", false),
        ("/?view=sign-in%26step=1", false),
    ] {
        assert_eq!(passes(page(), asked).await, expected, "{asked}");
    }
    // The parameter for the way back differs from request to request.
    let page = || SignInPage::new("/?view=sign-in&next=%2F").unwrap();
    let sent = "/?view=sign-in&next=%2F&next=%2Fa";
    assert!(passes(page(), sent).await && !passes(page(), "/?next=%2F").await);
    let page = SignInPage::new("/sign-in").unwrap();
    assert!(passes(page, "/sign-in?view=any").await);
}

/// A form that reads the way back refuses a second one.
#[tokio::test]
async fn a_redirect_names_the_way_back_once() {
    let world = World::memory(Time::Manual).await;
    for (page, method, expected) in [
        (
            "/sign-in?next=%2Fhome",
            Method::GET,
            "/sign-in?next=%2Faccount",
        ),
        (
            "/sign-in?next=%2Fhome",
            Method::POST,
            "/sign-in?next=%2Fhome",
        ),
        (
            "/?view=a&ne%78t=%2F&b",
            Method::GET,
            "/?view=a&b&next=%2Faccount",
        ),
        ("/?next&view=a", Method::GET, "/?view=a&next=%2Faccount"),
        ("/sign-in?", Method::GET, "/sign-in?next=%2Faccount"),
    ] {
        let layer = RequireUserLayer::new().with_sign_in_page(SignInPage::new(page).unwrap());
        let asked = request(method, "/account", HTML, &Browser::new());
        let (_, headers, _) = ask(&club(&world, layer), asked).await;
        assert_eq!(headers[header::LOCATION], expected, "{page}");
    }
}

#[tokio::test]
async fn a_service_for_users_without_sessions_says_what_is_missing() {
    let service = RequireUserLayer::new().layer(service_fn(page));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = whole(response)
        .await
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("no SessionLayer"));
}

#[tokio::test]
async fn the_service_for_users_that_was_polled_ready_is_the_one_that_is_called() {
    let world = World::memory(Time::Manual).await;
    let (site, user) = (world.site(), Browser::new());
    user.read(&site, "/log-in/ada").await;
    let probe = ReadyProbe::new(service_fn(page));
    let watch = probe.watch();
    let layer = ServiceBuilder::new()
        .layer(SessionLayer::new(world.sessions()))
        .layer(RequireUserLayer::new());
    let mut service = layer.service(probe);
    for _ in 0..3 {
        let ready = service.ready().await.unwrap();
        let response = ready.call(request(Method::GET, "/a", JSON, &user)).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(watch.violations(), []);
    assert_eq!(watch.calls(), 3);
    let cookie = user.cookie().unwrap();
    let asked = || request(Method::GET, "/a", JSON, &Browser::with(cookie.clone()));
    let layer = layer.into_inner();
    let violations = check_errors::<_, _, Response<Full<Bytes>>>(&layer, asked).await;
    assert_eq!(violations, []);
}
