//! Which cache a page comes from.

use std::time::Duration;

use larder_test::server::Reply;

use crate::app::App;
use crate::plan::Plan;
use crate::server::Server;
use crate::visitor::{ADA, Answer, GRACE, Visitor};

on_both_backends! {
    a_film_is_loaded_once_and_then_kept_near_and_far,
    fifty_visitors_of_one_cold_page_cause_one_load,
    a_page_is_kept_whole_and_with_nothing_of_the_request_that_fetched_it,
    a_page_is_kept_once_however_it_is_asked_for,
    what_the_catalogue_does_not_have_is_kept_by_the_store_for_nobody,
    what_is_one_visitors_is_kept_for_nobody,
    what_one_visitor_sees_of_the_shared_pages_another_sees_to_the_byte,
}

fn a_film_is_loaded_once_and_then_kept_near_and_far(plan: Plan) {
    let app = plan.open();
    let visitor = Visitor::new();
    let (here, there) = (app.first(), app.last());
    let page = visitor.get(here, "/api/films/7");
    assert_eq!(page.source(), "miss loaded");
    assert_eq!(visitor.get(here, "/api/films/7").source(), "hit near");
    // The page comes from the same load.
    assert_eq!(visitor.get(here, "/films/7").source(), "hit near");

    let elsewhere = visitor.get(there, "/api/films/7");
    if app.shares_a_store() {
        assert_eq!(elsewhere.source(), "hit far");
        assert_eq!(visitor.get(there, "/api/films/7").source(), "hit near");
    }
    let loads = |server| {
        let metrics = visitor.get(server, "/metrics");
        let film = ["kind=\"film\"", "outcome=\"ok\""];
        metrics.metric("larder_cache_loads_total", &film)
    };
    assert_eq!(app.servers().iter().map(loads).sum::<u64>(), 1);

    assert_eq!(visitor.get(here, "/?q=alien").source(), "miss loaded");
    assert_eq!(visitor.get(here, "/?q=%20ALIEN").source(), "hit near");
    assert_eq!(
        visitor.get(here, "/?q=alien&page=2").source(),
        "miss loaded"
    );
}

fn fifty_visitors_of_one_cold_page_cause_one_load(plan: Plan) {
    let app = plan.alone().open();
    for (path, loads) in [("/films/99", 1), ("/api/films/98", 2)] {
        let answers = app.crowd(50, |visitor, _, _| visitor.get(app.first(), path));
        assert!(answers.iter().all(|answer| answer.status == 200));
        let loaded = answers.iter().filter(|it| it.source() == "miss loaded");
        assert_eq!(loaded.count(), 1, "{path}");
        let metrics = app.get("/metrics");
        let film = ["kind=\"film\""];
        assert_eq!(metrics.metric("larder_cache_loads_total", &film), loads);
    }
}

/// The queries are counted in the logs of the database's driver.
#[test]
fn a_thousand_cold_requests_to_two_processes_cause_one_query() {
    for _ in 0..5 {
        let Cold { queries, stalls } = ask_a_thousand_times_for_a_cold_film();
        if queries.len() == 1 {
            return;
        }
        // If the machine stalls, the store misses its deadline, or a lease ends while its process holds it.
        // Then the other process loads too, as intended, and its metrics say why.
        assert!(stalls > 0, "{queries:?}");
        println!("the machine stalled, so there is another round: {queries:?}");
    }
    panic!(
        "the machine is too slow: in each of five rounds it kept the processes from their store"
    );
}

/// The effects of a thousand requests for a film that nobody had requested before.
struct Cold {
    queries: Vec<String>,
    /// How often a process worked without the store, or lost its lease of the film.
    stalls: u64,
}

fn ask_a_thousand_times_for_a_cold_film() -> Cold {
    let mut app = Plan::redis()
        .with("RUST_LOG", "info,sqlx::query=debug")
        .alone()
        .open();
    let answers = app.crowd(250, |visitor, server, number| {
        let paths = ["/films/99", "/api/films/99", "/api/films/99", "/films/99"];
        let paths = paths.into_iter().cycle().skip(number % 2).take(4);
        let statuses = paths.map(|path| visitor.get(server, path).status);
        statuses.collect::<Vec<_>>()
    });
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(answers.len(), 1_000);
    assert!(answers.iter().all(|status| *status == 200));
    let stalls = |server: &Server| {
        let metrics = Visitor::new().get(server, "/metrics");
        let film = "kind=\"film\"";
        metrics.metric("larder_cache_far_errors_total", &[film])
            + metrics.metric("larder_cache_far_skipped_total", &[film])
            + metrics.metric("larder_cache_leases_total", &[film, "role=\"overtaken\""])
    };
    let stalls = app.servers().iter().map(stalls).sum();
    app.servers().iter().for_each(Server::terminate);
    let ends = app.take_servers().into_iter();
    let ends = ends.map(|server| server.end(Duration::from_secs(15)));
    // A pool that opens another connection sets it up during the request that waits for it.
    let is_query = |line: &String| {
        line.contains("request{") && line.contains("sqlx::query: ") && !line.contains("PRAGMA")
    };
    let queries = ends.flat_map(|end| end.log).filter(is_query).collect();
    Cold { queries, stalls }
}

fn a_page_is_kept_whole_and_with_nothing_of_the_request_that_fetched_it(plan: Plan) {
    let app = plan.open();
    for alike in [
        ["/", "/?page=2", "/?page=3"],
        ["/?genre=Horror", "/?genre=Drama", "/?genre=Western"],
        ["/films/7", "/films/8", "/films/9"],
    ] {
        // With so many tests on one machine the store may take longer than the cache waits for it.
        let mut each = alike.into_iter().map(|path| {
            let first = Visitor::by_name().get(app.first(), path);
            (path, first)
        });
        let is_stored = |(_, first): &(_, Answer)| {
            let status = first.header("cache-status");
            assert!(
                status.contains("; stored") || status.contains("detail=storage"),
                "{first:?}"
            );
            status.contains("; stored")
        };
        let (path, first) = each.find(is_stored).expect("one of three is stored");
        assert_eq!(first.source(), "miss loaded");
        assert_ne!(first.header("ratelimit"), "");
        for server in app.servers() {
            let kept = Visitor::by_name().get(server, path);
            assert_is_kept(&kept);
            assert_eq!(kept.body, first.body, "{path}");
            assert_ne!(kept.header("x-request-id"), first.header("x-request-id"));
            for name in ["server-timing", "ratelimit", "ratelimit-policy"] {
                assert_eq!(kept.header(name), "", "{path}: {name}");
            }
        }
        // Browsers must ask each time, because nobody can purge their copies.
        assert_eq!(first.header("cache-control"), "no-cache");
        assert_eq!(first.header("cache-tag"), "");
    }
    for path in ["/?q=alien", "/api/films/7", "/films/999999", "/films/x"] {
        for _ in 0..2 {
            let status = app.get(path);
            let status = status.header("cache-status");
            assert!(
                status.contains("; fwd=") && !status.contains("stored"),
                "{path}: {status}"
            );
        }
    }
    // Health checks do not touch the cache.
    assert_eq!(app.get("/healthz").header("cache-status"), "");
}

fn a_page_is_kept_once_however_it_is_asked_for(plan: Plan) {
    let app = plan.open();
    for (page, spellings) in [
        (
            "/",
            &[
                "/?",
                "/?utm_source=a",
                "/?page=1",
                "/?page=01",
                "/?q=",
                "/?q=%CC%81&x",
            ][..],
        ),
        (
            "/?genre=Drama&page=2",
            &[
                "/?page=2&genre=Drama",
                "/?%67enre=Drama&page=%32",
                "/?genre=+Drama&page=002&fbclid=1",
                "/?a=1&genre=Drama&b=2&page=2&a=1",
            ],
        ),
        (
            "/films/7",
            &[
                "/films/7?",
                "/films/7?utm=1&utm=2",
                "/films/007",
                "/films/%37",
                "/films/+7",
            ],
        ),
    ] {
        let first = Visitor::by_name().get(app.first(), page);
        assert!(
            first.header("cache-status").contains("; stored"),
            "{first:?}"
        );
        for spelling in spellings {
            let kept = Visitor::by_name().get(app.last(), spelling);
            assert_is_kept(&kept);
            assert_eq!(kept.body, first.body, "{spelling}");
        }
        // A parameter that no page reads creates no page.
        let claims = [
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-host",
        ];
        for (number, claim) in claims.into_iter().enumerate() {
            let stranger = Visitor::by_name().with(claim, format!("{number}"));
            assert_is_kept(&stranger.get(app.last(), page));
        }
    }
    for (path, status) in [
        ("/?page=2&page=2", 400),
        ("/?page=0", 400),
        ("/films/7/", 404),
        ("/films/7%2f", 404),
        ("/films/x", 404),
    ] {
        for _ in 0..2 {
            let answer = Visitor::by_name().get(app.first(), path);
            assert_eq!(answer.status, status, "{path}");
            let kept = answer.header("cache-status");
            assert!(
                !kept.contains("stored") && !kept.contains("hit"),
                "{path}: {kept}"
            );
        }
    }
}

fn what_the_catalogue_does_not_have_is_kept_by_the_store_for_nobody(plan: Plan) {
    let mut app = plan.open();
    let visitor = Visitor::by_name();
    // The first page is nearly always in memory.
    visitor.get(app.first(), "/");
    let before = keys(&mut app);
    for number in 0..20 {
        for path in [
            format!("/?q=word{number}"),
            format!("/?genre=Genre{number}"),
            format!("/?page={}", 1_000 + number),
            format!("/?genre=Drama&page={}", 1_000 + number),
            format!("/films/{}", 10_000 + number),
        ] {
            for path in [path.clone(), path.replacen('/', "/api/films", 1)] {
                let answer = visitor.get(app.first(), &path);
                assert!(!answer.header("cache-status").contains("stored"), "{path}");
            }
        }
    }
    assert_eq!(keys(&mut app), before);
    // A second visitor with the same search is answered from memory. A slow machine may pass the near TTL in between.
    let is_near = (0..5).any(|_| {
        visitor.get(app.first(), "/?q=word7");
        Visitor::by_name().get(app.first(), "/?q=word7").source() == "hit near"
    });
    assert!(is_near);
}

/// The number of keys of films and pages in the store, if it can be asked. Keys of purges are not pages, and
/// their number is bounded for any requests. Keys of leases contain nothing and end by themselves.
fn keys(app: &mut App) -> usize {
    if !app.shares_a_store() {
        return 0;
    }
    let mut redis = app.redis().connect().unwrap();
    ["*response:*", "*catalogue*", "*search*", "*film*"]
        .map(|pattern| match redis.call(&["KEYS", pattern]).unwrap() {
            Reply::Array(keys) => {
                let is_lease = |key: &Reply| key.text().is_some_and(|key| key.ends_with(":~lease"));
                keys.iter().filter(|key| !is_lease(key)).count()
            }
            other => panic!("no keys: {other:?}"),
        })
        .iter()
        .sum()
}

fn what_is_one_visitors_is_kept_for_nobody(plan: Plan) {
    let app = plan.open();
    let ada = Visitor::by_name();
    ada.sign_in(app.first(), ADA);
    for path in ["/account", "/tickets", "/showings/1", "/sign-in"] {
        for visitor in [&ada, &Visitor::by_name()] {
            let answer = visitor.get(app.first(), path);
            assert!(
                answer.header("cache-control").contains("no-store"),
                "{path}"
            );
            assert!(!answer.header("cache-status").contains("stored"), "{path}");
        }
    }
}

fn what_one_visitor_sees_of_the_shared_pages_another_sees_to_the_byte(plan: Plan) {
    let app = plan.open();
    let paths = ["/", "/?genre=Drama&page=2", "/films/7", "/films/42"];
    let (ada, grace) = (Visitor::by_name(), Visitor::by_name());
    // A page that nobody has requested yet is fetched by a signed-in visitor.
    ada.sign_in(app.first(), ADA);
    let seen: Vec<_> = paths.map(|path| ada.get(app.first(), path)).into();
    grace.sign_in(app.last(), GRACE);
    for (path, seen) in paths.iter().zip(&seen) {
        assert!(seen.header("cache-status").contains("; stored"), "{seen:?}");
        for visitor in [&Visitor::by_name(), &grace, &ada] {
            let answer = visitor.get(app.last(), path);
            assert_is_kept(&answer);
            assert_eq!(answer.body, seen.body, "{path}");
        }
        for answer in [seen, &Visitor::by_name().get(app.last(), path)] {
            assert_eq!(answer.header("set-cookie"), "", "{path}");
            assert_eq!(answer.header("vary"), seen.header("vary"), "{path}");
            let body = answer.body.to_lowercase();
            assert!(
                !body.contains("ada@") && !body.contains("sign out"),
                "{path}"
            );
        }
    }
}

fn assert_is_kept(answer: &Answer) {
    assert_eq!(answer.status, 200);
    let status = answer.header("cache-status");
    assert!(status.starts_with("larder; hit"), "{status}");
    assert_ne!(answer.header("age"), "");
}
