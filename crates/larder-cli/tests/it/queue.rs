//! Queues and their dead letters.

use std::num::NonZeroU16;

use larder::queue::{Job, NewJob, Partitioned, Queue};
use serde::{Deserialize, Serialize};

use crate::support::{larder, run, server};

#[derive(Serialize, Deserialize)]
struct Mail {
    to: String,
}

impl Job for Mail {
    const NAME: &'static str = "mail";
}

async fn bury(queue: &Queue, many: usize, reason: &str) {
    for _ in 0..many {
        let to = "hunter2@example.org".to_owned();
        let _ = queue.enqueue(NewJob::new(&Mail { to })).await.unwrap();
    }
    for delivery in queue.dequeue(many).await.unwrap() {
        let _ = queue.reject(delivery.receipt(), reason).await.unwrap();
    }
}

#[tokio::test]
async fn dead_letters_are_counted_listed_redriven_and_purged() {
    let (server, store) = server().await;
    let url = server.url();
    let queue = Queue::new(store, "mail").unwrap();
    bury(&queue, 5, "no mailbox hunter2").await;
    let listed = larder(&url, "queue ls --json").await.json();
    assert_eq!(
        (&listed[0]["queue"], &listed[0]["dead"]),
        (&"mail".into(), &5.into())
    );

    let shown = larder(&url, "queue inspect mail --state dead --limit 2")
        .await
        .ok();
    assert_eq!(shown.out.matches("18 characters").count(), 2, "{shown:?}");
    assert!(!shown.out.contains("hunter2"), "{shown:?}");
    let shown = larder(&url, "queue inspect mail --state dead --show-values")
        .await
        .ok();
    assert_eq!(
        shown.out.matches("no mailbox hunter2").count(),
        5,
        "{shown:?}"
    );

    let asked = run(&url, &["queue", "redrive", "mail", "--max", "2"], "n\n").await;
    assert_eq!(
        (asked.code, asked.err.contains("2 dead letters")),
        (1, true),
        "{asked:?}"
    );
    let done = larder(&url, "queue redrive mail --max 2 --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 2);
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (2, 3));

    let asked = larder(&url, "queue purge mail --state dead").await;
    assert_eq!(
        (asked.code, asked.err.contains("removes 3 jobs")),
        (1, true),
        "{asked:?}"
    );
    let done = larder(&url, "queue purge mail --state dead --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 3);
    assert_eq!(queue.counts().await.unwrap().dead, 0);

    larder(&url, "queue pause mail").await.ok();
    assert!(queue.dequeue(1).await.unwrap().is_empty());
    larder(&url, "queue resume mail").await.ok();
    assert_eq!(queue.dequeue(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn all_partitions_of_a_queue_are_helped_together() {
    let (server, store) = server().await;
    let url = server.url();
    let partitions = NonZeroU16::new(3).unwrap();
    let queues = Partitioned::new(store, "mail", partitions).unwrap();
    for queue in queues.queues() {
        bury(queue, 2, "x").await;
    }
    assert_eq!(
        larder(&url, "queue ls --json")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let done = larder(&url, "queue redrive mail --yes --json").await.json();
    assert_eq!(done["done"], 6);
    larder(&url, "queue pause mail").await.ok();
    assert!(queues.dequeue(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_queue_that_does_not_exist_is_an_error_and_is_not_made() {
    let (server, _) = server().await;
    for command in ["inspect", "pause", "redrive"] {
        let ran = larder(&server.url(), &format!("queue {command} nowhere")).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("there is no queue 'nowhere'"), "{ran:?}");
    }
    assert_eq!(server.command(&["DBSIZE"]).unwrap().int(), Some(0));
}
