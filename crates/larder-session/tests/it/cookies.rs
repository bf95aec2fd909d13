use http::{Request, StatusCode, header};
use larder_session::{SessionCookie, SessionCookieBuilder, SessionLayer};

use crate::support::{Browser, NAME, Reply, Site, Time, World, on_both_stores};

const PLAIN: &str = "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA";

/// One `Cookie` field for each list of values.
fn fields(lists: &[&[&str]]) -> Vec<String> {
    let field = |values: &&[&str]| {
        let pairs: Vec<_> = values
            .iter()
            .map(|value| format!("{NAME}={value}"))
            .collect();
        pairs.join("; ")
    };
    lists.iter().map(field).collect()
}

/// Asks for a page with these `Cookie` fields.
async fn ask(site: &Site, path: &str, fields: &[String]) -> Reply {
    let mut request = Request::builder().uri(path);
    for field in fields {
        request = request.header(header::COOKIE, field);
    }
    site.call(request.body(String::new()).unwrap()).await
}

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
        // A field that did not exist need not be removed.
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
        // By now, the visitor has the cookie.
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

    async fn of_several_cookies_the_living_one_counts_in_any_order(world: World) {
        let site = world.site();
        let living = Browser::signed_in(&site, "ada").await;
        living.read(&site, "/set/a/mine").await;
        let dead = Browser::signed_in(&site, "ada").await;
        let gone = dead.copy();
        dead.read(&site, "/log-out").await;
        let (living, gone) = (living.cookie().unwrap(), gone.cookie().unwrap());
        let three = [&*living, &*gone, PLAIN];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let sent = order.map(|at| three[at]);
            let two: Vec<_> = sent.into_iter().filter(|text| *text != PLAIN).collect();
            for sent in [&sent[..], &two] {
                for fields in [fields(&[sent]), fields(&sent.chunks(1).collect::<Vec<_>>())] {
                    assert_eq!(ask(&site, "/whoami", &fields).await.body, "ada", "{sent:?}");
                    let reply = ask(&site, "/get/a", &fields).await;
                    assert_eq!(reply.body, "mine");
                    assert!(!reply.sets_cookie());
                }
            }
        }
        // The same one twice, and one that was never of the form.
        for sent in [[&*living, &living], ["", &living], ["x", &living], [&living, "a.b"]] {
            assert_eq!(ask(&site, "/whoami", &fields(&[&sent])).await.body, "ada");
        }
        let split = ["theme=dark".to_owned(), fields(&[&[&*living]]).remove(0)];
        assert_eq!(ask(&site, "/get/a", &split).await.body, "mine");
    }

    async fn of_several_dead_cookies_none_is_adopted(world: World) {
        let site = world.site();
        let browser = Browser::signed_in(&site, "ada").await;
        let gone = browser.cookie().unwrap();
        browser.read(&site, "/log-out").await;
        let other = PLAIN.replace('A', "Q").replace("Q.", "A.");
        let other = format!("{}A", &other[..44]);
        for sent in [[&*gone, PLAIN, &*other], [PLAIN, &*other, &*gone]] {
            let sent = fields(&[&sent]);
            assert_eq!(ask(&site, "/account", &sent).await.status, StatusCode::UNAUTHORIZED);
            let reply = ask(&site, "/set/a/1", &sent).await;
            let given = reply.header("set-cookie").unwrap();
            for dead in [&gone, PLAIN, &other] {
                assert!(!given.contains(&dead[..22]), "{given}");
            }
        }
    }

    async fn of_a_users_living_sessions_the_latest_sign_in_counts_and_a_sign_out_ends_all(world: World) {
        let site = world.site();
        let first = Browser::signed_in(&site, "ada").await;
        let second = Browser::signed_in(&site, "ada").await;
        first.read(&site, "/set/a/first").await;
        second.read(&site, "/set/a/second").await;
        let visitor = Browser::new();
        visitor.read(&site, "/set/a/visitor").await;
        let cookies = [&first, &second, &visitor].map(|browser| browser.cookie().unwrap());
        let [one, other, anonymous] = cookies.each_ref().map(String::as_str);
        for sent in [[one, other, anonymous], [anonymous, other, one]] {
            assert_eq!(ask(&site, "/get/a", &fields(&[&sent])).await.body, "second");
        }
        // A sign-in again on the first makes that the latest.
        first.read(&site, "/log-in/ada").await;
        let latest = first.cookie().unwrap();
        let sent = fields(&[&[other, &latest, anonymous]]);
        assert_eq!(ask(&site, "/get/a", &sent).await.body, "first");
        assert_eq!(ask(&site, "/log-out", &sent).await.status, StatusCode::OK);
        assert_eq!(ask(&site, "/whoami", &sent).await.body, "");
        assert!(world.sessions().devices("ada").await.unwrap().is_empty());
    }

    async fn with_cookies_of_two_users_nobody_is_signed_in_until_the_next_sign_in(world: World) {
        let site = world.site();
        let (ada, grace) = (Browser::signed_in(&site, "ada").await, Browser::signed_in(&site, "grace").await);
        let [ada, grace] = [ada, grace].map(|browser| browser.cookie().unwrap());
        for sent in [[&*ada, &*grace], [&*grace, &*ada]] {
            assert_eq!(ask(&site, "/whoami", &fields(&[&sent])).await.body, "");
        }
        let reply = ask(&site, "/log-in/ada", &fields(&[&[&*grace, &*ada]])).await;
        let given = reply.header("set-cookie").unwrap();
        let given = given.split_once('=').unwrap().1.split(';').next().unwrap();
        for sent in [[&*ada, &*grace, given], [given, &*grace, &*ada]] {
            assert_eq!(ask(&site, "/whoami", &fields(&[&sent])).await.body, "ada");
        }
        assert_eq!(ask(&site, "/whoami", &fields(&[&[&*grace]])).await.body, "");
    }

    async fn no_request_costs_more_reads_than_a_browser_has_cookies(world: World) {
        let site = world.site();
        let many: Vec<_> = (0..100_u8)
            .map(|at| format!("{}{:02}AAAAAAAAAAAAAAAAAAAA", &PLAIN[..23], at))
            .collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let before = world.switch.operations();
        ask(&site, "/whoami", &fields(&[&many])).await;
        assert_eq!(world.switch.operations() - before, 8);
    }

    async fn a_sign_in_after_a_domain_was_added_removes_the_old_cookie(world: World) {
        let cookie = || SessionCookie::builder().with_name(NAME.trim_start_matches("__Host-"));
        let site = |cookie: SessionCookieBuilder| {
            let layer = SessionLayer::new(world.sessions());
            Site::new(layer.with_cookie(cookie.build().unwrap()))
        };
        let (old, new) = (site(cookie()), site(cookie().with_domain("example.org")));
        let set = |reply: &Reply| -> Vec<String> {
            let all = reply.headers.get_all("set-cookie").iter();
            all.map(|set| set.to_str().unwrap().to_owned()).collect()
        };
        let removal = "session=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0; \
                       Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        let first = set(&ask(&old, "/log-in/ada", &[]).await).remove(0);
        let host = first.split(';').next().unwrap().to_owned();
        // A visitor without a cookie gets no removal.
        assert_eq!(set(&ask(&new, "/log-in/ada", &[]).await).len(), 1);
        let sent = set(&ask(&new, "/log-in/ada", std::slice::from_ref(&host)).await);
        let [gone, given] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(gone, removal);
        assert!(given.contains("; Domain=example.org; Path=/"), "{given}");
        let given = given.split(';').next().unwrap();
        // Also in the hands of a browser that did not obey.
        for both in [format!("{host}; {given}"), format!("{given}; {host}")] {
            assert_eq!(ask(&new, "/whoami", &[both]).await.body, "ada");
        }
        let sent = set(&ask(&new, "/log-out", &[format!("{host}; {given}")]).await);
        let [gone, own] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(gone, removal);
        assert!(own.contains("; Domain=example.org; ") && own.contains("; Max-Age=0; "), "{own}");
    }

    async fn an_insert_after_a_sign_out_begins_a_new_session(world: World) {
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

    async fn ten_thousand_visitors_without_a_cookie_make_no_session(world: World) {
        let site = world.site();
        for at in 0..10_000 {
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

#[tokio::test]
async fn a_signed_in_request_reads_from_redis_with_one_command() {
    let world = World::redis(Time::Real).await;
    let (site, server) = (world.site(), world.server.as_ref().unwrap());
    let browser = Browser::signed_in(&site, "ada").await;
    browser.read(&site, "/set/a/1").await;
    // What a process learns with its first read of a user is not read each time.
    browser.read(&site, "/get/a").await;
    server.command(&["CONFIG", "RESETSTAT"]).unwrap();
    assert_eq!(browser.read(&site, "/get/a").await, "1");
    let info = server.command(&["INFO", "commandstats"]).unwrap();
    let info = info.text().unwrap().into_owned();
    let commands: Vec<_> = info
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(",usec="))
        .map(|(command, _)| command)
        // A process asks for the time once a second.
        .filter(|command| !command.starts_with("config|") && !command.starts_with("pttl:"))
        .collect();
    assert_eq!(commands, ["mget:calls=1"]);
}
