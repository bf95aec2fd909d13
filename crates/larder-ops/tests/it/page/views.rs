use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use larder_ops::page::OpsPage;
use tower::ServiceExt;

use super::world::{Stores, VIEWS, World, in_process, on_a_server, request, world, world_of};

/// What each view shows of the app, in process and on a server.
const SHOWN: [(&str, &[&str]); 11] = [
    (
        "",
        &[
            "Hit ratio",
            "96.0\u{202f}%",
            "Locks held",
            "Jobs waiting",
            "Sign-ins",
            "Answered by the cache",
        ],
    ),
    (
        "caches",
        &["film", "seat", "96.0\u{202f}%", "972", "500.0\u{202f}ms"],
    ),
    (
        "limits",
        &[
            "sign-in",
            "100.0\u{202f}%",
            "ban: 70",
            "pages",
            "10.0\u{202f}%",
        ],
    ),
    ("sessions", &["1\u{202f}234", "User id", "Sign-ins"]),
    (
        "responses",
        &["stale-if-error", "75.0\u{202f}%", "hit", "Purge"],
    ),
    ("queues", &["mail", "Redrive", "Pause", "open"]),
    ("locks", &["season", "Break"]),
    (
        "store",
        &["one read of this process", "127.0.0.1:1", "closed"],
    ),
    ("doctor", &["A001", "In order"]),
    ("log", &["Nobody has acted yet."]),
    ("drill", &["Open the doors"]),
];

pub(crate) async fn check(world: &World) {
    for (view, texts) in SHOWN {
        let page = world.open(view).await;
        assert_eq!(page.status, StatusCode::OK, "{view}");
        page.has(texts);
        // Jobs, reasons and values are never shown.
        page.lacks(&["hunter2", "no mailbox", "does not answer", "-0.0", "NaN"]);
        is_accessible(&page.body);
    }
    assert!(!world.lock.is_lost());
}

/// Ids are there once, links lead below the page, tables have headings, and headings are in order.
#[track_caller]
fn is_accessible(html: &str) {
    let mut ids = BTreeSet::new();
    for id in html
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
    {
        assert!(ids.insert(id), "{id} is there twice in {html}");
    }
    for target in ["href=\"", "action=\"", "src=\""] {
        for link in html.split(target).skip(1) {
            assert!(
                link.starts_with("/ops") || link.starts_with("#main"),
                "{link:.40}"
            );
        }
    }
    assert_eq!(html.matches("<h1>").count(), 1);
    assert!(!html.contains("<th>") && !html.contains("style=\"") && !html.contains("<h3"));
    assert_eq!(
        html.matches("<table>").count(),
        html.matches("<caption").count()
    );
}

pub(crate) async fn examined(stores: Stores) -> World {
    let world = world(stores).await;
    // The first report is made in the background.
    for _ in 0..200 {
        if world.open("doctor").await.body.contains("In order") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world
}

#[tokio::test]
async fn every_view_shows_what_is_in_this_process_and_says_what_cannot_be_known() {
    let world = examined(in_process()).await;
    check(&world).await;
    world
        .open("store")
        .await
        .has(&["other processes have their own"]);
    world
        .open("doctor")
        .await
        .has(&["There is no server to examine"]);
}

#[tokio::test]
async fn every_view_shows_what_is_on_the_server() {
    let world = examined(on_a_server().await).await;
    check(&world).await;
    world
        .open("store")
        .await
        .has(&["answers", "commands/s", "no limit"]);
    // A server with default settings has findings.
    world
        .open("doctor")
        .await
        .has(&["L004", "maxmemory", "warn"]);
}

#[tokio::test]
async fn a_page_without_figures_and_servers_says_how_it_gets_them() {
    let (store, _, server) = on_a_server().await;
    let page = OpsPage::new(store).build(|_| async { Ok(larder_ops::page::Operator::new("root")) });
    let mut world = world_of(in_process(), |page| page, || ()).await;
    world.router = axum::Router::new().nest("/ops", page.unwrap());
    for view in ["", "caches", "limits", "sessions", "responses", "queues"] {
        world.open(view).await.has(&["OpsPage::with_figures"]);
    }
    for view in ["store", "doctor"] {
        world.open(view).await.has(&["OpsPage::with_redis"]);
    }
    drop(server);
}

#[tokio::test]
async fn the_page_works_under_any_path_and_keeps_out_of_caches_and_frames() {
    let world = world(in_process()).await;
    for path in VIEWS
        .into_iter()
        .chain(["page.css", "live.js", "icon.svg", "nothing"])
    {
        let page = world.open(path).await;
        assert_eq!(page.headers["cache-control"], "no-store", "{path}");
        assert_eq!(page.headers["x-frame-options"], "DENY", "{path}");
        let csp = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            csp.starts_with("default-src 'none'") && !csp.contains("unsafe"),
            "{csp}"
        );
    }
    assert_eq!(world.open("nothing").await.status, StatusCode::NOT_FOUND);
    let page = world.open("").await;
    page.has(&[
        "href=\"/ops/page.css\"",
        "data-live=\"/ops/live\"",
        "aria-current=\"page\"",
    ]);
    world
        .open("queues")
        .await
        .has(&["data-live=\"/ops/live/queues\""]);
}

#[tokio::test]
async fn a_view_is_sent_again_and_again_while_it_is_looked_at() {
    let world = world(in_process()).await;
    tokio::time::pause();
    let stream = world.open("live/queues").await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.body.matches("event: panels").count(), 10);
    stream.has(&[
        "data: <section class=\"panel\" id=\"queues\"",
        "name=\"token\"",
    ]);
    stream.lacks(&["<html"]);
}

#[tokio::test]
async fn streams_that_nobody_reads_end_on_time_and_make_room() {
    let world = world(in_process()).await;
    tokio::time::pause();
    let open = || {
        let request = request(Method::GET, "root", "/ops/live/queues", "");
        world.router.clone().oneshot(request)
    };
    let mut unread = Vec::new();
    for _ in 0..16 {
        unread.push(open().await.unwrap());
        assert_eq!(unread.last().unwrap().status(), StatusCode::OK);
    }
    let refused = open().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!(open().await.unwrap().status(), StatusCode::OK);
    drop(unread);
}

#[tokio::test]
async fn the_drill_shows_one_query_with_the_loader_and_a_thousand_without() {
    let world = world(in_process()).await;
    let token = world.token().await;
    let form = [("token", &*token)];
    tokio::time::pause();
    let (page, other) = tokio::join!(
        world.post_as("root", "/ops/drill", &form),
        world.post_as("root", "/ops/drill", &form),
    );
    page.has(&[
        "1000 visitors cost 1 query.",
        ">1\u{202f}000<",
        "without it",
    ]);
    assert_eq!(other.status, StatusCode::CONFLICT, "one drill at a time");
    let without = world_of(in_process(), |page| page.allow_actions(), || ()).await;
    assert_eq!(without.open("drill").await.status, StatusCode::NOT_FOUND);
}
