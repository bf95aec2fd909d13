use std::convert::Infallible;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use larder_session::{Session, SessionLayer, SiteData};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Browser, NAME, Reply, Site, World, on_both_stores};

const FIELD: &str = "clear-site-data";

fn layer(world: &World) -> SessionLayer {
    let data = [SiteData::Cache, SiteData::Cookies, SiteData::Storage];
    SessionLayer::new(world.sessions()).with_clear_site_data(data)
}

fn site(world: &World) -> Site {
    Site::new(layer(world))
}

fn cleared(reply: &Reply) -> Option<&str> {
    reply.header(FIELD)
}

on_both_stores! { Manual;
    async fn a_sign_out_clears_the_data_that_the_app_names(world: World) {
        let site = site(&world);
        let all = Some("\"cache\", \"cookies\", \"storage\"");
        for path in ["/log-out", "/revoke-all", "/failing/log-out"] {
            let browser = Browser::new();
            assert_eq!(cleared(&browser.get(&site, "/log-in/ada").await), None);
            assert_eq!(cleared(&browser.get(&site, "/set/a/1").await), None);
            assert_eq!(cleared(&browser.get(&site, path).await), all, "{path}");
        }
        let browser = Browser::new();
        browser.read(&site, "/log-in/ada").await;
        let path = format!("/revoke/{}", browser.record());
        assert_eq!(cleared(&browser.get(&site, &path).await), all);
        // By default nothing is cleared.
        browser.read(&site, "/log-in/ada").await;
        assert_eq!(cleared(&browser.get(&world.site(), "/log-out").await), None);
    }

    async fn a_cookie_that_is_set_after_the_sign_out_is_not_cleared(world: World) {
        let (site, browser) = (site(&world), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        let reply = browser.get(&site, "/log-out-and-say").await;
        assert_eq!(cleared(&reply), Some("\"cache\", \"storage\""));
        assert_eq!(browser.read(&site, "/hear").await, "info: bye");
    }

    async fn no_cookie_that_the_app_sets_beside_the_sign_out_is_cleared(world: World) {
        let removal = "theme=; Max-Age=0";
        for (set, expected) in [
            (&["theme=dark"][..], "\"cache\", \"storage\""),
            (&[removal, "theme=dark; Path=/; max-age=60"], "\"cache\", \"storage\""),
            (&[removal], "\"cache\", \"cookies\", \"storage\""),
        ] {
            let (browser, set) = (Browser::new(), set.to_owned());
            browser.read(&world.site(), "/log-in/ada").await;
            let service = layer(&world).layer(service_fn(async |request: Request<()>| {
                let session = request.extensions().get::<Session>().unwrap();
                session.log_out().await.unwrap();
                let mut response = Response::new(Full::<Bytes>::default());
                for cookie in &set {
                    response.headers_mut().append(SET_COOKIE, HeaderValue::from_static(cookie));
                }
                Ok::<_, Infallible>(response)
            }));
            let cookie = format!("{NAME}={}", browser.cookie().unwrap());
            let request = Request::builder().header(COOKIE, cookie).body(()).unwrap();
            let response = service.oneshot(request).await.unwrap();
            assert_eq!(response.headers()[FIELD], expected, "{set:?}");
        }
    }

    async fn no_request_without_the_session_of_its_visitor_clears_anything(world: World) {
        let (site, browser) = (site(&world), Browser::new());
        // As from the page of another site, whose requests have no cookie.
        assert_eq!(cleared(&Browser::new().get(&site, "/log-out").await), None);
        // While the session was signing out, it became another user's.
        browser.read(&site, "/log-in/ada").await;
        let held = {
            let (site, browser) = (site.clone(), browser.copy());
            tokio::spawn(async move { browser.get(&site, "/held/log-out").await })
        };
        site.gate.arrived().await;
        browser.read(&site, "/log-in/grace").await;
        site.gate.open();
        assert_eq!(cleared(&held.await.unwrap()), None);
        assert_eq!(browser.read(&site, "/whoami").await, "grace");
    }
}
