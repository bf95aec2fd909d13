//! Bytes on the server that nobody here has written: they count as absent, and nothing stays broken.

use std::time::Duration;

use larder_events::log::{EventId, EventLog, MessageId, Start};
use larder_events::topic::{Received, Recovered, Topic};
use larder_store::{Ttl, bus};
use larder_worlds::{World, soon};

const DAY: Ttl = Ttl::from_secs(86_400);

const HUGE: &str = "99999999999999999999999999999999999999";

fn set(world: &World, words: &[&str]) {
    world.server.as_ref().unwrap().command(words).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_whose_position_is_garbage_begins_anew() {
    let world = World::redis().await;
    let topic = Topic::<u32>::new(world.store.clone(), bus::Topic::broadcast("seats")).unwrap();
    let topic = topic.with_history(5, DAY).unwrap();
    let topic = topic.with_check_interval(Duration::from_secs(600));
    let mut subscriber = topic.subscribe(7_u32).await.unwrap();
    for garbage in [
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1--1",
        "x-1",
        "\u{0}",
        "1-9007199254740992",
        "9007199254740993-1",
        "01-1",
        &format!("1-{HUGE}"),
        &format!("{HUGE}-1"),
        &format!("{HUGE}-{HUGE}"),
        &"7".repeat(10_000),
    ] {
        let before = topic.publish(7_u32, &1).await.unwrap().unwrap();
        set(&world, &["SET", "topic:{seats:7}", garbage, "KEEPTTL"]);
        let opened = topic.position(7_u32).await.unwrap();
        assert_eq!(opened.offset(), 0, "{garbage}");
        set(&world, &["SET", "topic:{seats:7}", garbage, "KEEPTTL"]);
        let (_, recovered) = topic.resume(7_u32, before).await.unwrap();
        assert!(
            matches!(recovered, Recovered::Incomplete { .. }),
            "{garbage}"
        );
        let position = topic.publish(7_u32, &2).await.unwrap().unwrap();
        assert_eq!(position.offset(), 1, "{garbage}");
        loop {
            match soon(subscriber.next()).await {
                Some(Received::Message(message)) if *message.value == 2 => break,
                Some(_) => {}
                None => panic!("the subscription has ended: {garbage}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_counts_are_garbage_begins_anew_and_misses_nothing() {
    let world = World::redis().await;
    let log = EventLog::<u32>::new(world.store.clone(), "test", DAY).unwrap();
    log.append("all", &1).await.unwrap();
    for (garbage, event) in [
        "",
        "x",
        "1|1|1",
        &format!("{HUGE}|0|0|"),
        &format!("0|0|0|{HUGE}"),
        "0|0|0||4294967296",
        "0|0|0||x",
    ]
    .iter()
    .zip(2..)
    {
        let group = log.group("all", "mail").unwrap().with_start(Start::Now);
        group.create().await.unwrap();
        log.append("all", &event).await.unwrap();
        let had = group.consumer().read(1).await.unwrap();
        assert_eq!(had.deliveries.len(), 1);
        set(&world, &["HSET", "log:{test:all}:groups", "mail", garbage]);
        // A process that was started since.
        let group = log.group("all", "mail").unwrap().with_start(Start::Now);
        let batch = group.consumer().read(100).await.unwrap();
        let events: Vec<_> = batch
            .deliveries
            .iter()
            .map(|it| it.event.unwrap())
            .collect();
        assert_eq!(events, (1..=event).collect::<Vec<_>>(), "{garbage}");
        assert_eq!(batch.lost, 0);
        assert_eq!(log.info("all").await.unwrap().groups[0].lag, 0);
        assert!(group.remove().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_and_ids_of_messages_that_are_garbage_break_no_others() {
    let world = World::redis().await;
    let log = EventLog::<u32>::new(world.store.clone(), "test", DAY).unwrap();
    log.append("all", &1).await.unwrap();
    let consumer = log.group("all", "mail").unwrap().consumer();
    let batch = consumer.read(1).await.unwrap();
    let _ = consumer.reject(&batch.deliveries[0], "no").await.unwrap();
    let dead = "log:{test:all}:dead";
    set(&world, &["XADD", dead, "*", "field", "value"]);
    set(
        &world,
        &[
            "XADD",
            dead,
            "*",
            "group",
            "mail",
            "id",
            "x",
            "deliveries",
            HUGE,
            "reason",
            "r",
        ],
    );
    let letters = log.dead_letters("all", EventId::ZERO, 9).await.unwrap();
    assert_eq!(letters.len(), 3);
    assert_eq!(
        (letters[0].event, letters[1].event, letters[2].deliveries),
        (Some(1), None, 0)
    );

    let message = MessageId {
        producer: "web",
        id: "1",
    };
    let first = log.append_once("all", message, &2).await.unwrap();
    set(
        &world,
        &["HSET", "log:{test:all}:messages", "3:web1", "garbage"],
    );
    let again = log.append_once("all", message, &2).await.unwrap();
    assert!(
        again.id() > first.id(),
        "its id was lost, so it is a new event"
    );
    assert_eq!(
        log.append_once("all", message, &2).await.unwrap().id(),
        again.id()
    );
}
