use http::{Request, StatusCode, header};

use crate::support::{Browser, on_both_stores};

const PLAIN: &str = "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA";

on_both_stores! { Manual;
    async fn a_session_that_is_not_used_costs_no_store_call(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        let before = world.switch.operations();
        let reply = browser.get(&site, "/untouched").await;
        assert_eq!(world.switch.operations(), before);
        assert!(!reply.sets_cookie());
        assert_eq!(reply.header("vary"), None);
        assert_eq!(reply.header("cache-control"), None);
    }

    async fn without_a_cookie_reading_costs_no_store_call(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        let reply = browser.get(&site, "/get/a").await;
        assert_eq!(world.switch.operations(), 0);
        assert!(!reply.sets_cookie());
        assert_eq!(reply.header("vary"), Some("Cookie"));
        // What was not there need not be removed.
        browser.get(&site, "/remove/a").await;
        browser.get(&site, "/log-out").await;
        browser.get(&site, "/show-flash").await;
        assert_eq!(world.switch.operations(), 0);
    }

    async fn a_session_is_read_in_one_step_and_written_in_one(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        assert_eq!(world.switch.operations(), 1, "made in one");
        browser.read(&site, "/get/a").await;
        assert_eq!(world.switch.operations(), 2, "read in one");
        browser.read(&site, "/set/a/2").await;
        assert_eq!(world.switch.operations(), 4, "read and written");
    }

    async fn a_cookie_is_set_only_when_something_was_written(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        assert!(!browser.get(&site, "/whoami").await.sets_cookie());
        let reply = browser.get(&site, "/set/a/1").await;
        let set = reply.header("set-cookie").unwrap();
        assert!(set.starts_with("__Host-session="), "{set}");
        assert!(set.ends_with("; Path=/; HttpOnly; Secure; SameSite=Lax"), "{set}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("vary"), Some("Cookie"));

        let reply = browser.get(&site, "/get/a").await;
        assert_eq!(reply.body, "1");
        assert!(!reply.sets_cookie());
        assert_eq!(reply.header("cache-control"), None);
        assert_eq!(reply.header("vary"), Some("Cookie"));
        // The visitor has the cookie by now.
        assert!(!browser.get(&site, "/set/a/2").await.sets_cookie());
    }

    async fn the_removal_has_the_attributes_of_the_cookie(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/1").await;
        let reply = browser.get(&site, "/log-out").await;
        assert_eq!(
            reply.header("set-cookie"),
            Some(
                "__Host-session=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0; \
                 Expires=Thu, 01 Jan 1970 00:00:00 GMT"
            )
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }

    async fn a_cookie_that_no_session_has_is_never_adopted(world: World) {
        let site = world.site();
        let mut real = Browser::new();
        real.read(&site, "/set/a/mine").await;
        let text = real.cookie().unwrap();
        let (record, secret) = text.split_once('.').unwrap();
        let other = Browser::new();
        other.read(&site, "/set/a/theirs").await;
        let other = other.cookie().unwrap();
        let wrong = [
            PLAIN.to_owned(),
            format!("{record}.{}", &PLAIN[23..]),
            format!("{}.{secret}", &PLAIN[..22]),
            format!("{record}.{}", other.split_once('.').unwrap().1),
            record.to_owned(),
            format!("{record}."),
            format!("{record}.{secret}{}", &PLAIN[..21]),
            format!("{text}AAAA"),
            format!("\"{text}\""),
            "x".repeat(5000),
            "%00".to_owned(),
            String::new(),
        ];
        for wrong in wrong {
            let browser = Browser::with(wrong.clone());
            assert_eq!(browser.read(&site, "/get/a").await, "", "{wrong:.80}");
            let reply = browser.get(&site, "/set/a/1").await;
            assert!(reply.sets_cookie(), "{wrong:.80}");
            let given = browser.cookie().unwrap();
            assert_ne!(given, wrong);
            assert_ne!(browser.record(), record);
            assert_ne!(browser.record(), &PLAIN[..22]);
        }
        assert_eq!(real.read(&site, "/get/a").await, "mine");
        real = Browser::with(text);
        assert_eq!(real.read(&site, "/get/a").await, "mine");
    }

    async fn a_cookie_that_is_there_twice_is_not_there(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/set/a/mine").await;
        let mine = format!("__Host-session={}", browser.cookie().unwrap());
        let other = format!("__Host-session={PLAIN}");
        for fields in [
            vec![format!("{mine}; {other}")],
            vec![format!("{other}; {mine}")],
            vec![format!("{mine}; {mine}")],
            vec![mine.clone(), other.clone()],
        ] {
            let mut request = Request::builder().uri("/get/a");
            for field in &fields {
                request = request.header(header::COOKIE, field);
            }
            let reply = site.call(request.body(String::new()).unwrap()).await;
            assert_eq!((reply.status, &*reply.body), (StatusCode::OK, ""), "{fields:?}");
        }
        let split = Request::builder()
            .uri("/get/a")
            .header(header::COOKIE, "theme=dark")
            .header(header::COOKIE, mine);
        assert_eq!(site.call(split.body(String::new()).unwrap()).await.body, "mine");
    }

    async fn what_is_inserted_after_a_sign_out_is_a_new_session(world: World) {
        let (site, browser) = (world.site(), Browser::new());
        browser.read(&site, "/log-in/ada").await;
        browser.read(&site, "/set/a/1").await;
        let (old, record) = (browser.copy(), browser.record());
        let reply = browser.get(&site, "/log-out-with-flash").await;
        assert_eq!(reply.headers.get_all("set-cookie").iter().count(), 1);
        assert_ne!(browser.record(), record);
        assert_eq!(browser.read(&site, "/show-flash").await, "bye");
        assert_eq!(browser.read(&site, "/get/a").await, "");
        assert_eq!(browser.read(&site, "/whoami").await, "");
        assert_eq!(old.read(&site, "/whoami").await, "");
    }

    async fn a_hundred_thousand_visitors_without_a_cookie_make_no_session(world: World) {
        let site = world.site();
        for at in 0..100_000 {
            let path = ["/untouched", "/whoami", "/get/a", "/show-flash"][at % 4];
            let reply = Browser::new().get(&site, path).await;
            assert!(!reply.sets_cookie());
        }
        assert_eq!(world.switch.operations(), 0);
        if let Some(server) = &world.server {
            assert_eq!(server.command(&["DBSIZE"]).unwrap().int(), Some(0));
        }
    }
}
