//! Cookies for pages in frames of other sites.

use http::{Request, header};
use larder_session::{SameSite, SessionCookie, SessionLayer};

use crate::support::{Browser, NAME, Reply, Site, World, on_both_stores};

fn framed(world: &World) -> Site {
    let cookie = SessionCookie::builder()
        .with_same_site(SameSite::None)
        .partitioned();
    Site::new(SessionLayer::new(world.sessions()).with_cookie(cookie.build().unwrap()))
}

fn sets(reply: &Reply) -> Vec<&str> {
    let all = reply.headers.get_all(header::SET_COOKIE).iter();
    all.map(|set| set.to_str().unwrap()).collect()
}

on_both_stores! { Manual;
    async fn a_partitioned_cookie_is_set_and_removed_with_the_attribute(world: World) {
        let (site, browser) = (framed(&world), Browser::new());
        let reply = browser.get(&site, "/log-in/ada").await;
        let [set] = sets(&reply)[..] else { panic!("{reply:?}") };
        assert!(set.ends_with("; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"), "{set}");
        assert_eq!(browser.read(&site, "/whoami").await, "ada");
        let reply = browser.get(&site, "/log-out").await;
        let removed = sets(&reply);
        let removal = "__Host-session=; Path=/; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age=0; ";
        assert!(removed.iter().any(|set| set.starts_with(removal)), "{removed:?}");
    }

    async fn a_cookie_from_before_it_was_partitioned_is_removed_at_the_next_change(world: World) {
        let (plain, framed) = (world.site(), framed(&world));
        let before = Browser::new();
        before.read(&plain, "/log-in/ada").await;
        let old = before.cookie().unwrap();
        let reply = before.copy().get(&framed, "/log-in/ada").await;
        let [gone, given] = sets(&reply)[..] else { panic!("{reply:?}") };
        assert!(gone.contains("; SameSite=None; Max-Age=0; "), "{gone}");
        assert!(given.ends_with("; Partitioned"), "{given}");
        // A browser that sends both is signed in, whichever comes first.
        let new = given.split(';').next().unwrap();
        let old = format!("{NAME}={old}");
        for both in [format!("{old}; {new}"), format!("{new}; {old}")] {
            let request = Request::builder().uri("/whoami").header(header::COOKIE, both);
            let reply = framed.call(request.body(String::new()).unwrap()).await;
            assert_eq!(reply.body, "ada");
        }
    }
}
