//! Forged requests, with tower-http's `csrf` layer in front (OWASP ASVS 5.0, 3.5.1 to 3.5.3).

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use larder_session::{Session, SessionKey, SessionLayer};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::csrf::CsrfLayer;

use crate::support::{Browser, NAME, on_both_stores};

const EMAIL: SessionKey<String> = SessionKey::new("a");

/// Changes the visitor's address: what a forged request would want.
async fn change(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let session = request.extensions().get::<Session>().unwrap();
    session.insert(EMAIL, &"changed".to_owned()).await.unwrap();
    Ok(Response::new(Full::default()))
}

on_both_stores! { Manual;
    async fn a_request_that_another_site_makes_a_browser_send_changes_nothing(world: World) {
        let site = world.site();
        // From the outside in: what is refused reads no session.
        let service = ServiceBuilder::new()
            .layer(CsrfLayer::new())
            .layer(SessionLayer::new(world.sessions()))
            .service(service_fn(change));
        let (own, other) = ("https://shop.example", "https://evil.example");
        for (fields, passes) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("origin", own)], true),
            // Not a browser, and so without a visitor's cookies.
            (vec![], true),
            (vec![("sec-fetch-site", "cross-site"), ("origin", other)], false),
            (vec![("sec-fetch-site", "same-site"), ("origin", "https://blog.shop.example")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", own)], false),
            (vec![("origin", other)], false),
            (vec![("origin", "null")], false),
            (vec![("origin", "https://shop.example.evil.example")], false),
        ] {
            let browser = Browser::new();
            browser.read(&site, "/set/a/before").await;
            let before = world.switch.operations();
            let cookie = format!("{NAME}={}", browser.cookie().unwrap());
            let mut request = Request::builder()
                .method(Method::POST)
                .uri("/email")
                .header(header::HOST, "shop.example")
                .header(header::COOKIE, cookie);
            for (name, value) in &fields {
                request = request.header(*name, *value);
            }
            let response = service.clone().oneshot(request.body(()).unwrap()).await.unwrap();
            let expected = if passes { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(response.status(), expected, "{fields:?}");
            assert_eq!(world.switch.operations() > before, passes, "{fields:?}");
            let email = browser.read(&site, "/get/a").await;
            assert_eq!(email, if passes { "changed" } else { "before" }, "{fields:?}");
        }
    }
}
