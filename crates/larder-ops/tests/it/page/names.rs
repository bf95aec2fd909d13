use axum::http::StatusCode;
use larder_queue::{Partitioned, Queue, QueueRecord};
use larder_store::Key;
use larder_store::program::Record;
use larder_structures::lock::Lock;
use metrics::counter;

use super::world::{VIEWS, in_process, on_a_server, world_of};

/// A name that is markup, moves the cursor, and turns the text.
const HOSTILE: &str = "<script>alert(1)</script>\n\u{1b}[2J\u{202e}\"'&";

#[tokio::test]
async fn names_of_others_are_shown_escaped_wherever_they_come_from() {
    let count = || {
        for metric in ["larder_cache_hits_total", "larder_queue_taken_total"] {
            let label = if metric.contains("cache") {
                "kind"
            } else {
                "queue"
            };
            counter!(metric, label => HOSTILE).increment(1);
        }
        counter!("larder_rate_limit_decisions_total", "policy" => HOSTILE, "outcome" => "refused")
            .increment(1);
        counter!("larder_redis_timeouts_total", "server" => HOSTILE).increment(1);
    };
    let world = world_of(on_a_server().await, |page| page.allow_actions(), count).await;
    let queue = Queue::new(world.store.clone(), HOSTILE).unwrap();
    queue.pause().await.unwrap();
    let long = Queue::new(world.store.clone(), &"q".repeat(10_240)).unwrap();
    long.pause().await.unwrap();
    let parts = Partitioned::new(world.store.clone(), HOSTILE, 3.try_into().unwrap()).unwrap();
    parts.queues()[2].pause().await.unwrap();
    let lock = Lock::new(world.store.clone(), HOSTILE).unwrap();
    let _held = lock.try_lock().await.unwrap().unwrap();
    let server = world.server.as_ref().unwrap();
    for key in [
        "prod:app:queue:{text}",
        "prod:app:lock:{text}",
        "prod:app:queue:{\u{1b}<b>}",
    ] {
        server.command(&["SET", key, "not a record"]).unwrap();
    }
    for view in VIEWS.into_iter().filter(|view| *view != "drill") {
        let page = world.open(view).await;
        assert_eq!(page.status, StatusCode::OK, "{view}");
        page.lacks(&["<script>alert", "\u{1b}", "\u{202e}", "<b>", "not a record"]);
        assert!(page.body.len() < 100_000, "{view}: {}", page.body.len());
    }
    let queues = world.open("queues").await;
    queues.has(&["hold something else", "a name that is too long", "paused"]);
    world
        .open("limits")
        .await
        .has(&[r"\u{202e}", r"\n", "&#60;script&#62;"]);

    // A form that is sent back still names the very queue and partition.
    let key = Key::new(QueueRecord::KIND, (HOSTILE, 2_u32));
    for (key, queue) in [
        (Key::new(QueueRecord::KIND, HOSTILE), &queue),
        (key, &parts.queues()[2]),
    ] {
        let (_, done) = world
            .act(&[("action", "resume-queue"), ("subject", key.as_str())])
            .await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{done:?}");
        assert!(!queue.counts().await.unwrap().is_paused);
    }
    let shown = world
        .post_as("root", "/ops/sessions", &[("user", HOSTILE)])
        .await;
    shown.has(&["no living session"]);
    shown.lacks(&["<script>alert", "\u{1b}", "\u{202e}"]);
}

#[tokio::test]
async fn an_operator_is_shown_escaped_and_has_a_token_whatever_the_name() {
    let world = world_of(in_process(), |page| page.allow_actions(), || ()).await;
    let name = format!("<b>{}", "o".repeat(2_000));
    let page = world.get_as(&name, "/ops/queues").await;
    page.has(&["&#60;b&#62;", "(2003 characters)", "name=\"token\""]);
}
