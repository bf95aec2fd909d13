//! Queues and their dead letters.

use std::num::NonZeroU16;

use larder::queue::{Job, NewJob, Partitioned, Queue};
use serde::{Deserialize, Serialize};

use crate::support::{Meanwhile, larder, run, run_with, server};

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
    asked.complains(1, "2 dead letters");
    let done = larder(&url, "queue redrive mail --max 2 --yes --json")
        .await
        .json();
    assert_eq!(done["done"], 2);
    assert_eq!(words(&done["queues"]), ["mail"], "{done}");
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (2, 3));

    let asked = larder(&url, "queue purge mail --state dead").await;
    asked.complains(1, "removes 3 jobs of mail for good");
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
        ran.complains(2, "there is no queue 'nowhere'");
    }
    assert_eq!(server.command(&["DBSIZE"]).unwrap().int(), Some(0));
}

#[tokio::test]
async fn a_purge_removes_no_more_than_it_has_said() {
    let (server, store) = server().await;
    let queue = Queue::new(store, "mail").unwrap();
    let _ = queue.enqueue(NewJob::raw("early", "x")).await.unwrap();
    let url = server.url();
    let mut input = Meanwhile::new(&url, async |store| {
        let queue = Queue::new(store, "mail").unwrap();
        for _ in 0..2 {
            let _ = queue.enqueue(NewJob::raw("late", "x")).await.unwrap();
        }
    });
    let words = ["queue", "purge", "mail", "--state", "waiting", "--json"];
    let ran = run_with(&url, &words, &mut input).await;
    ran.complains(1, "other jobs have come since the question");
    assert!(ran.err.contains("removes 1 job "), "{ran:?}");
    assert_eq!(queue.counts().await.unwrap().waiting, 3);
    let done = larder(&url, "queue purge mail --state waiting --yes --json").await;
    assert_eq!(done.json()["done"], 3);
}

#[tokio::test]
async fn later_jobs_stay_though_as_many_earlier_ones_have_gone() {
    let (server, store) = server().await;
    let url = server.url();
    let queue = Queue::new(store, "mail").unwrap();
    let _ = queue.enqueue(NewJob::raw("early", "x")).await.unwrap();
    let mut input = Meanwhile::new(&url, async |store| {
        let queue = Queue::new(store, "mail").unwrap();
        assert_eq!(queue.dequeue(1).await.unwrap().len(), 1);
        let _ = queue.enqueue(NewJob::raw("late", "x")).await.unwrap();
    });
    let words = ["queue", "purge", "mail", "--state", "waiting", "--json"];
    let ran = run_with(&url, &words, &mut input).await;
    ran.complains(1, "removes 1 job ");
    ran.prints(1, "\"done\": 0");
    assert_eq!(queue.counts().await.unwrap().waiting, 1);

    bury(&queue, 2, "early").await;
    let mut input = Meanwhile::new(&url, async |store| {
        let queue = Queue::new(store, "mail").unwrap();
        assert_eq!(queue.redrive(2).await.unwrap(), 2);
        bury(&queue, 1, "late").await;
    });
    let words = ["queue", "redrive", "mail", "--json"];
    let dead = queue.counts().await.unwrap().dead;
    let ran = run_with(&url, &words, &mut input).await;
    ran.complains(1, &format!("runs {dead} dead letters "));
    assert!(ran.err.contains("these dead letters have gone"), "{ran:?}");
    assert_eq!(
        ran.out.trim().replace(char::is_whitespace, ""),
        r#"{"done":0}"#
    );
    assert_eq!(queue.counts().await.unwrap().dead, 1);
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

#[tokio::test]
async fn a_redrive_moves_no_more_than_it_has_said() {
    let (server, store) = server().await;
    let queue = Queue::new(store, "mail").unwrap();
    bury(&queue, 1, "x").await;
    let url = server.url();
    let mut input = Meanwhile::new(&url, async |store| {
        bury(&Queue::new(store, "mail").unwrap(), 2, "late").await;
    });
    let ran = run_with(&url, &["queue", "redrive", "mail", "--json"], &mut input).await;
    assert!(ran.err.contains("runs 1 dead letter "), "{ran:?}");
    assert_eq!(ran.json()["done"], 1);
    let counts = queue.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (1, 2));
}

fn words(value: &serde_json::Value) -> Vec<&str> {
    let words = value.as_array().unwrap().iter();
    words.map(|word| word.as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_pause_names_what_it_paused_and_with_the_number_of_partitions_leaves_none_running() {
    let (server, store) = server().await;
    let url = server.url();
    let plain = Queue::new(store.clone(), "mail").unwrap();
    let queues = Partitioned::new(store, "mail", NonZeroU16::new(4).unwrap()).unwrap();
    for queue in [&plain, &queues.queues()[2]] {
        let _ = queue.enqueue(NewJob::raw("greet", "x")).await.unwrap();
    }
    let is_paused = async |queue: &Queue| queue.counts().await.unwrap().is_paused;

    let paused = larder(&url, "queue pause mail --json").await.json();
    assert_eq!(words(&paused["queues"]), ["mail", "mail:2"], "{paused}");
    assert!(is_paused(&plain).await, "it has the name of the partitions");
    assert!(!is_paused(&queues.queues()[1]).await);
    let said = larder(&url, "queue pause mail").await.ok();
    assert!(said.out.starts_with("mail, mail:2 paused"), "{said:?}");
    assert!(said.out.contains("--partitions N"), "{said:?}");

    let line = "queue pause mail --partitions 4";
    let said = larder(&url, line).await.ok();
    assert!(!said.out.contains("runs on"), "{said:?}");
    let paused = larder(&url, &format!("{line} --json")).await.json();
    assert_eq!(
        words(&paused["queues"]),
        ["mail:0", "mail:1", "mail:2", "mail:3"]
    );
    for queue in queues.queues() {
        assert!(is_paused(queue).await, "{queue:?}");
    }
    larder(&url, "queue resume mail").await.ok();
    for queue in queues.queues().iter().chain([&plain]) {
        assert!(!is_paused(queue).await, "{queue:?}");
    }
    let said = larder(&url, "queue pause mial --partitions 1").await.ok();
    assert!(said.out.contains("is the name right"), "{said:?}");
    let wrong = larder(&url, "queue pause mail --partitions 0").await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[tokio::test]
async fn a_stray_key_makes_no_partition_of_a_queue() {
    let (server, store) = server().await;
    let url = server.url();
    let queues = Partitioned::new(store, "mail", NonZeroU16::new(2).unwrap()).unwrap();
    let first = &queues.queues()[0];
    let _ = first.enqueue(NewJob::raw("greet", "x")).await.unwrap();
    let listed = |text: &str| text.matches("mail:").count();
    for key in ["65534", "65535", "007", "x"] {
        let key = format!("queue:{{mail:{key}}}");
        server.command(&["SET", &key, "x", "PX", "60000"]).unwrap();
    }
    let keys = server.command(&["DBSIZE"]).unwrap().int();
    let shown = larder(&url, "queue inspect mail").await.ok();
    assert_eq!(listed(&shown.out), 2, "{shown:?}");
    assert!(shown.out.contains("mail:65534  unreadable"), "{shown:?}");
    let shown = larder(&url, "queue inspect mail --json").await.json();
    assert_eq!(shown[1]["unreadable"], true, "{shown}");

    let paused = larder(&url, "queue pause mail").await;
    paused.prints(1, "mail:65534 unreadable");
    assert!(first.counts().await.unwrap().is_paused);
    assert_eq!(server.command(&["DBSIZE"]).unwrap().int(), keys);

    for line in ["redrive mail", "purge mail --state dead"] {
        let ran = larder(&url, &format!("queue {line} --yes --json")).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        let written: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(written["unreadable"][0], "mail:65534", "{written}");
    }

    let plant =
        "for i = 0, 1000 do redis.call('SET', 'queue:{mail:x' .. i .. '}', 'x', 'PX', 60000) end";
    server.command(&["EVAL", plant, "0"]).unwrap();
    let many = larder(&url, "queue pause mail").await;
    many.complains(2, "give --partitions N");
    larder(&url, "queue pause mail --partitions 2").await.ok();
    assert!(queues.queues()[1].counts().await.unwrap().is_paused);
}

#[tokio::test]
async fn each_id_of_the_list_and_each_whole_key_names_its_queue() {
    let (server, store) = server().await;
    let url = server.url();
    let partitions = NonZeroU16::new(4).unwrap();
    let parts = Partitioned::new(store.clone(), "mail", partitions).unwrap();
    let out = Queue::new(store.clone(), "mails out").unwrap();
    let odd = Queue::new(store.clone(), "a:1").unwrap();
    let part = &parts.queues()[3];
    for (at, queue) in [part, &parts.queues()[1], &out, &odd].iter().enumerate() {
        for _ in 0..=at {
            let _ = queue.enqueue(NewJob::raw("greet", "x")).await.unwrap();
        }
    }
    let listed = larder(&url, "queue ls --json").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
    for queue in listed.as_array().unwrap() {
        let id = queue["queue"].as_str().unwrap();
        for named in [id, &format!("queue:{{{id}}}")] {
            let shown = run(&url, &["queue", "inspect", named, "--json"], "").await;
            let shown = shown.json();
            assert_eq!(shown.as_array().unwrap().len(), 1, "{named}: {shown}");
            assert_eq!(shown[0]["waiting"], queue["waiting"], "{named}: {shown}");
        }
    }
    let said = larder(&url, "queue pause mail:3").await.ok();
    assert!(!said.out.contains("--partitions"), "{said:?}");
    assert!(part.counts().await.unwrap().is_paused);
    assert!(!parts.queues()[1].counts().await.unwrap().is_paused);
    // The name of an app is taken if no id of the list is meant.
    larder(&url, "queue pause a:1").await.ok();
    assert!(odd.counts().await.unwrap().is_paused);
    let both = Partitioned::new(store, "a", partitions).unwrap();
    let _ = both.queues()[1]
        .enqueue(NewJob::raw("greet", "x"))
        .await
        .unwrap();
    larder(&url, "queue resume a:1").await.ok();
    assert!(
        odd.counts().await.unwrap().is_paused,
        "the id of a list comes first"
    );
    for command in ["pause", "resume", "inspect"] {
        for name in ["queue:{mail:3}", "queue:{mail:0}", "mail:3"] {
            let line = format!("queue {command} {name} --partitions 2");
            let wrong = larder(&url, &line).await;
            wrong.complains(2, "leave --partitions out");
        }
    }
    // Without such a record, it is the name of an app.
    larder(&url, "queue pause mail:0 --partitions 2").await.ok();
}

#[tokio::test]
async fn a_purge_and_a_redrive_say_for_which_queue_the_text_was_taken() {
    let (server, store) = server().await;
    let url = server.url();
    let named = Queue::new(store.clone(), "mail:3").unwrap();
    bury(&named, 2, "x").await;
    let asked = larder(&url, "queue redrive mail:3").await;
    asked.complains(1, "runs 2 dead letters of mail%3A3 again");
    let done = larder(&url, "queue redrive mail:3 --max 1 --yes").await;
    done.prints(0, "1 dead letter of mail%3A3 waits again");

    let parts = Partitioned::new(store, "mail", NonZeroU16::new(4).unwrap()).unwrap();
    bury(&parts.queues()[3], 1, "x").await;
    let line = "queue purge mail:3 --state dead";
    let asked = larder(&url, line).await;
    asked.complains(1, "removes 1 job of mail:3 for good");
    let done = larder(&url, &format!("{line} --yes --json")).await.json();
    assert_eq!(words(&done["queues"]), ["mail:3"], "{done}");
    let done = larder(&url, "queue purge mail%3A3 --state dead --yes").await;
    done.prints(0, "1 job of mail%3A3 removed");
}

#[tokio::test]
async fn a_job_that_waits_shows_how_long_it_has_been_due() {
    let (server, store) = server().await;
    let queue = Queue::new(store, "mail").unwrap();
    let _ = queue.enqueue(NewJob::raw("greet", "x")).await.unwrap();
    let line = "queue inspect mail --state waiting --json";
    let shown = larder(&server.url(), line).await.json();
    let at = shown["jobs"][0]["at"].as_str().unwrap();
    assert!(at.ends_with(" ago"), "{shown}");
    let shown = larder(&server.url(), "explain queue:{mail}").await.ok();
    let mut lines = shown.out.lines();
    let ends = lines.find_map(|line| line.strip_prefix("ends "));
    assert!(ends.unwrap().trim().starts_with("in "), "{shown:?}");
}
