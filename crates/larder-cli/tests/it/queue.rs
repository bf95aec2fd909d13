//! Queues and their dead letters.

use std::io::{BufRead, Read};
use std::num::NonZeroU16;
use std::sync::Arc;

use larder::Store;
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

/// Answers a question, and enqueues two more jobs before.
struct Answer<'a> {
    store: &'a Arc<dyn Store>,
    answer: &'a [u8],
}

impl Read for Answer<'_> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl BufRead for Answer<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.answer.starts_with(b"y") {
            let server = self.store.location().to_owned();
            let enqueue = async move {
                let queue = Queue::new(crate::support::connect(&server).await, "mail").unwrap();
                for _ in 0..2 {
                    let _ = queue.enqueue(NewJob::raw("late", "x")).await.unwrap();
                }
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            std::thread::spawn(move || runtime.unwrap().block_on(enqueue))
                .join()
                .unwrap();
        }
        Ok(self.answer)
    }

    fn consume(&mut self, bytes: usize) {
        self.answer = &self.answer[bytes..];
    }
}

#[tokio::test]
async fn a_purge_removes_no_more_than_it_has_said() {
    let (server, store) = server().await;
    let queue = Queue::new(store.clone(), "mail").unwrap();
    let _ = queue.enqueue(NewJob::raw("early", "x")).await.unwrap();
    let mut input = Answer {
        store: &store,
        answer: b"y\n",
    };
    let url = server.url();
    let words = ["queue", "purge", "mail", "--state", "waiting", "--json"];
    let ran = crate::support::run_with(&url, &words, &mut input).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("removes 1 jobs") && ran.err.contains("3 jobs by now"),
        "{ran:?}"
    );
    assert_eq!(queue.counts().await.unwrap().waiting, 3);
    let done = larder(&url, "queue purge mail --state waiting --yes --json").await;
    assert_eq!(done.json()["done"], 3);
}

#[tokio::test]
async fn every_command_about_a_queue_writes_one_document_of_json() {
    let (server, store) = server().await;
    let queue = Queue::new(store, "mail").unwrap();
    let _ = queue.enqueue(NewJob::raw("greet", "x")).await.unwrap();
    let url = server.url();
    for line in [
        "queue ls",
        "queue inspect mail",
        "queue pause mail",
        "queue resume mail",
    ] {
        larder(&url, &format!("{line} --json")).await.json();
    }
    let both = larder(&url, "queue inspect mail --state waiting --json")
        .await
        .json();
    assert_eq!(both["queues"][0]["waiting"], 1, "{both}");
    assert_eq!(both["jobs"][0]["name"], "greet", "{both}");
    let declined = larder(&url, "queue purge mail --state waiting --json").await;
    assert_eq!(declined.code, 1);
    assert_eq!(
        declined.out.trim().replace(char::is_whitespace, ""),
        r#"{"done":0}"#
    );
}
