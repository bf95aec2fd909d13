use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use larder_events::log::{
    Appended, Batch, Consumer, Delivery, EventId, EventLog, Group, MessageId, Settled, Start,
};
use larder_store::{ErrorKind, Refusal, Store, Ttl};
use larder_test::faulty::{Operations, Trouble};
use larder_worlds::{World, on_every_store};

const DAY: Ttl = Ttl::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

fn log(store: &Arc<dyn Store>) -> EventLog<u32> {
    EventLog::new(store.clone(), "test", DAY).unwrap()
}

fn group(log: &EventLog<u32>, name: &str) -> Group<u32> {
    log.group("all", name).unwrap()
}

async fn append(log: &EventLog<u32>, events: std::ops::RangeInclusive<u32>) -> Vec<EventId> {
    let events: Vec<_> = events.collect();
    let appended = log.append_many("all", &events).await;
    appended.into_iter().map(|id| id.unwrap()).collect()
}

/// The events of a batch with the counts of their deliveries.
fn shown(batch: &Batch<u32>) -> Vec<(u32, u32)> {
    let shown = |it: &Delivery<u32>| (it.event.unwrap(), it.count);
    batch.deliveries.iter().map(shown).collect()
}

async fn read(consumer: &Consumer<u32>, many: usize) -> Vec<Delivery<u32>> {
    consumer.read(many).await.unwrap().deliveries
}

on_every_store! { memory, redis, cluster;
    async fn each_group_is_given_each_event_until_it_is_acknowledged(world: World) {
        let log = log(&world.store);
        let ids = append(&log, 1..=3).await;
        let (mail, audit) = (group(&log, "mail").consumer(), group(&log, "audit").consumer());
        let other = group(&log, "mail").consumer();
        let first = mail.read(2).await.unwrap();
        assert_eq!(shown(&first), [(1, 1), (2, 1)]);
        assert_eq!(first.deliveries[0].id, ids[0]);
        // An event that one consumer of a group has is not given to another.
        let rest = other.read(10).await.unwrap();
        assert_eq!(shown(&rest), [(3, 1)]);
        assert_eq!(mail.ack_many(&first.deliveries).await.unwrap(), [Settled::Done, Settled::Done]);
        assert_eq!(shown(&audit.read(10).await.unwrap()), [(1, 1), (2, 1), (3, 1)]);
        world.advance(MINUTE);
        // The lease of the third has ended in the first group.
        assert_eq!(shown(&mail.read(10).await.unwrap()), [(3, 2)]);
        let info = log.info("all").await.unwrap();
        assert_eq!((info.len, info.appended, info.first, info.last), (3, 3, Some(ids[0]), Some(ids[2])));
        let shown: Vec<_> = info.groups.iter().map(|it| (&*it.name, it.pending, it.lag)).collect();
        assert_eq!(shown, [("audit", 3, 0), ("mail", 1, 0)]);
    }

    async fn a_stale_acknowledgement_is_refused(world: World) {
        let log = log(&world.store);
        append(&log, 1..=1).await;
        let (slow, quick) = (group(&log, "mail").consumer(), group(&log, "mail").consumer());
        let before = read(&slow, 1).await;
        world.advance(MINUTE);
        let now = read(&quick, 1).await;
        assert_eq!(slow.ack(&before[0]).await.unwrap(), Settled::Stale);
        assert_eq!(slow.nack(&before[0], Duration::ZERO).await.unwrap(), Settled::Stale);
        assert_eq!(slow.reject(&before[0], "late").await.unwrap(), Settled::Stale);
        assert_eq!(slow.extend(&before).await.unwrap(), [Settled::Stale]);
        // A consumer that is given its own event again has another delivery of it.
        world.advance(MINUTE);
        let again = read(&quick, 1).await;
        assert_eq!(again[0].count, 3);
        assert_eq!(quick.ack(&now[0]).await.unwrap(), Settled::Stale);
        assert_eq!(quick.ack(&again[0]).await.unwrap(), Settled::Done);
        assert_eq!(quick.ack(&again[0]).await.unwrap(), Settled::Gone);
        world.advance(MINUTE);
        assert!(read(&quick, 1).await.is_empty());
    }

    async fn a_late_acknowledgement_counts_while_nobody_else_has_the_event(world: World) {
        let log = log(&world.store);
        append(&log, 1..=1).await;
        let consumer = group(&log, "mail").consumer();
        let delivery = read(&consumer, 1).await;
        world.advance(MINUTE * 2);
        assert_eq!(consumer.ack(&delivery[0]).await.unwrap(), Settled::Done);
    }

    async fn an_event_that_is_given_back_is_delivered_after_its_delay(world: World) {
        let log = log(&world.store);
        append(&log, 1..=2).await;
        let (one, other) = (group(&log, "mail").consumer(), group(&log, "mail").consumer());
        let deliveries = read(&one, 2).await;
        assert_eq!(one.nack(&deliveries[0], Duration::ZERO).await.unwrap(), Settled::Done);
        assert_eq!(one.nack(&deliveries[1], Duration::from_secs(5)).await.unwrap(), Settled::Done);
        assert_eq!(one.ack(&deliveries[1]).await.unwrap(), Settled::Stale, "it was given back");
        assert_eq!(shown(&other.read(9).await.unwrap()), [(1, 2)]);
        world.advance(Duration::from_millis(4_999));
        assert!(read(&other, 9).await.is_empty());
        world.advance(Duration::from_millis(1));
        assert_eq!(shown(&other.read(9).await.unwrap()), [(2, 2)]);
    }

    async fn a_delivery_that_is_extended_stays_with_its_consumer(world: World) {
        let log = log(&world.store);
        append(&log, 1..=2).await;
        let (one, other) = (group(&log, "mail").consumer(), group(&log, "mail").consumer());
        let deliveries = read(&one, 2).await;
        world.advance(MINUTE / 2);
        assert_eq!(one.extend(&deliveries[..1]).await.unwrap(), [Settled::Done]);
        world.advance(MINUTE / 2);
        assert_eq!(shown(&other.read(9).await.unwrap()), [(2, 2)]);
        assert_eq!(one.ack(&deliveries[0]).await.unwrap(), Settled::Done);
    }

    async fn a_message_that_is_appended_again_is_one_event(world: World) {
        let log = log(&world.store).with_retention(Ttl::from_secs(60));
        let message = MessageId { producer: "web", id: "b1" };
        let first = log.append_once("all", message, &1).await.unwrap();
        assert!(matches!(first, Appended::New(_)));
        let again = log.append_once("all", message, &2).await.unwrap();
        assert_eq!(again, Appended::Duplicate(first.id()));
        // The same id of another producer is another message, however the two are cut.
        for (producer, id) in [("we", "bb1"), ("webb", "1"), ("app", "b1")] {
            let other = log.append_once("all", MessageId { producer, id }, &3).await.unwrap();
            assert!(matches!(other, Appended::New(_)), "{producer}, {id}");
        }
        world.advance(MINUTE);
        let later = log.append_once("all", message, &4).await.unwrap();
        assert!(matches!(later, Appended::New(_)), "it was remembered past its time");
        assert_eq!(log.info("all").await.unwrap().len, 5);
        let full = log.clone().with_max_remembered(1);
        let error = full.append_once("all", MessageId { producer: "web", id: "b2" }, &5).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
        assert!(full.append("all", &5).await.is_ok(), "an event without a name takes no room");
        for (producer, id) in [("", "x"), ("x", ""), (&*"x".repeat(257), "x")] {
            let error = log.append_once("all", MessageId { producer, id }, &5).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    async fn after_a_lost_reply_the_same_call_tells_what_came_of_it(world: World) {
        let (store, switch) = world.faulty();
        let log = log(&store);
        let message = MessageId { producer: "web", id: "b1" };
        switch.set_next(1, Trouble::LoseAnswer);
        let lost = log.append_once("all", message, &1).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::MayHaveRun);
        assert!(matches!(log.append_once("all", message, &1).await.unwrap(), Appended::Duplicate(_)));

        let consumer = group(&log, "mail").consumer();
        group(&log, "mail").create().await.unwrap();
        switch.set_on(Operations::Programs, Trouble::LoseAnswer);
        assert!(consumer.read(1).await.is_err());
        switch.clear();
        assert!(read(&consumer, 1).await.is_empty(), "the event was taken");
        world.advance(MINUTE);
        let delivery = read(&consumer, 1).await;
        assert_eq!(delivery[0].count, 2);
        switch.set_next(1, Trouble::LoseAnswer);
        assert!(consumer.ack(&delivery[0]).await.is_err());
        assert_eq!(consumer.ack(&delivery[0]).await.unwrap(), Settled::Gone);
    }

    async fn an_event_that_nobody_can_handle_is_a_dead_letter(world: World) {
        let log = log(&world.store).with_max_dead_letters(2);
        let ids = append(&log, 1..=2).await;
        let mail = group(&log, "mail").with_max_deliveries(2);
        let consumer = mail.consumer();
        for count in 1..=2 {
            assert_eq!(shown(&consumer.read(9).await.unwrap()), [(1, count), (2, count)]);
            world.advance(MINUTE);
        }
        assert!(read(&consumer, 9).await.is_empty());
        let dead = log.dead_letters("all", EventId::ZERO, 9).await.unwrap();
        let shown: Vec<_> = dead.iter().map(|it| (it.event_id, it.event.unwrap(), it.deliveries)).collect();
        assert_eq!(shown, [(ids[0], 1, 2), (ids[1], 2, 2)]);
        assert_eq!((&*dead[0].group, &*dead[0].reason), ("mail", "too many deliveries"));
        let info = log.info("all").await.unwrap();
        assert_eq!((info.dead_letters, info.groups[0].pending), (2, 0));

        append(&log, 3..=3).await;
        let delivery = read(&consumer, 1).await;
        let reason = "\u{e9}".repeat(200);
        assert_eq!(consumer.reject(&delivery[0], &reason).await.unwrap(), Settled::Done);
        let dead = log.dead_letters("all", EventId::ZERO, 9).await.unwrap();
        assert_eq!(dead.iter().map(|it| it.event.unwrap()).collect::<Vec<_>>(), [2, 3], "the oldest gave way");
        assert_eq!(dead[1].reason, "\u{e9}".repeat(128));
        assert!(log.remove_dead_letter("all", dead[0].id).await.unwrap());
        assert!(!log.remove_dead_letter("all", dead[0].id).await.unwrap());
        assert_eq!(log.dead_letters("all", EventId::ZERO, 9).await.unwrap().len(), 1);
    }

    async fn a_consumer_that_is_removed_hands_back_what_it_had(world: World) {
        let log = log(&world.store);
        append(&log, 1..=3).await;
        let mail = group(&log, "mail");
        let (one, other) = (mail.consumer_named("one").unwrap(), mail.consumer_named("other").unwrap());
        let deliveries = read(&one, 3).await;
        let _ = one.ack(&deliveries[0]).await.unwrap();
        assert_eq!(mail.remove_consumer("one").await.unwrap(), 2);
        assert_eq!(mail.remove_consumer("one").await.unwrap(), 0);
        assert_eq!(one.ack(&deliveries[1]).await.unwrap(), Settled::Stale);
        let batch = other.read(9).await.unwrap();
        assert_eq!(shown(&batch), [(2, 2), (3, 2)]);
        assert_eq!(log.info("all").await.unwrap().groups[0].consumers, [("other".to_owned(), 2)]);
        assert_eq!(other.close().await.unwrap(), 2);
        assert!(mail.consumer_named("(returned)").is_err());
    }

    async fn a_group_begins_where_it_is_told_to(world: World) {
        let log = log(&world.store);
        let ids = append(&log, 1..=2).await;
        assert!(group(&log, "new").with_start(Start::Now).create().await.unwrap());
        assert!(group(&log, "second").with_start(Start::After(ids[0])).create().await.unwrap());
        assert!(!group(&log, "second").create().await.unwrap());
        append(&log, 3..=3).await;
        for (name, events) in [("new", vec![3]), ("second", vec![2, 3]), ("old", vec![1, 2, 3])] {
            let info = log.info("all").await.unwrap();
            let lag = info.groups.iter().find(|group| group.name == name).map(|group| group.lag);
            assert!(lag.is_none_or(|lag| lag == events.len() as u64), "{name}: {lag:?}");
            let batch = group(&log, name).consumer().read(9).await.unwrap();
            assert_eq!(batch.deliveries.iter().map(|it| it.event.unwrap()).collect::<Vec<_>>(), events);
            assert_eq!(batch.lost, 0);
        }
        assert!(group(&log, "old").remove().await.unwrap());
        assert!(!group(&log, "old").remove().await.unwrap());
        assert_eq!(read(&group(&log, "old").consumer(), 9).await.len(), 3);
    }

    async fn a_number_of_an_event_is_read_back_as_it_was_appended(world: World) {
        let prices = EventLog::<f64>::new(world.store.clone(), "prices", DAY).unwrap();
        // serde_json reads another number here, unless it is told to be exact.
        let price = 27.684277497634646;
        prices.append("all", &price).await.unwrap();
        let page = prices.read("all", EventId::ZERO, 1).await.unwrap();
        assert_eq!(page.events[0].event, Some(price));
    }

    async fn a_consumer_that_found_its_group_makes_it_again_from_the_first_event(world: World) {
        let log = log(&world.store);
        for is_removed in [true, false] {
            let mail = || group(&log, "mail").with_start(Start::Now);
            assert!(mail().create().await.unwrap());
            // Another process, which did not create the group.
            let consumer = mail().consumer();
            assert!(read(&consumer, 9).await.is_empty());
            if is_removed {
                assert!(mail().remove().await.unwrap());
            } else {
                world.advance(Duration::from_secs(86_400));
            }
            append(&log, 1..=2).await;
            assert_eq!(shown(&consumer.read(9).await.unwrap()), [(1, 1), (2, 1)]);
            assert!(mail().remove().await.unwrap());
        }
    }

    async fn a_group_that_has_too_much_pending_is_given_nothing_new(world: World) {
        let log = log(&world.store);
        append(&log, 1..=5).await;
        let mail = group(&log, "mail").with_max_pending(3);
        let (one, other) = (mail.consumer(), mail.consumer());
        let deliveries = read(&one, 9).await;
        assert_eq!(deliveries.len(), 3);
        assert!(read(&other, 9).await.is_empty());
        let _ = one.ack_many(&deliveries[..2]).await.unwrap();
        assert_eq!(shown(&other.read(9).await.unwrap()), [(4, 1), (5, 1)]);
    }

    async fn events_are_read_in_pages_and_by_range(world: World) {
        let log = log(&world.store);
        let ids = append(&log, 1..=5).await;
        let first = log.read("all", EventId::ZERO, 3).await.unwrap();
        assert_eq!(first.next, Some(ids[2]));
        let rest = log.read("all", first.next.unwrap(), 3).await.unwrap();
        let events: Vec<_> = rest.events.iter().map(|it| it.event.unwrap()).collect();
        assert_eq!((events, rest.next), (vec![4, 5], None));
        for (many, has_more) in [(4, true), (5, false), (6, false)] {
            let page = log.read("all", EventId::ZERO, many).await.unwrap();
            assert_eq!(page.next.is_some(), has_more, "{many} of 5");
        }
        let some = log.read_until("all", ids[0], ids[2], 100).await.unwrap();
        assert_eq!(some.events.iter().map(|it| it.id).collect::<Vec<_>>(), ids[1..=2]);
        let all = log.read_until("all", ids[0], ids[2], 2).await.unwrap();
        assert_eq!((all.events.len(), all.next), (2, None));
        let moment = EventId::before_millis(ids[0].as_millis());
        assert_eq!(log.read("all", moment, 100).await.unwrap().events.len(), 5);
        let error = log.read("all", moment, 101).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(log.read("none", EventId::ZERO, 9).await.unwrap().events.is_empty());
    }

    async fn what_is_out_of_bounds_is_refused_and_says_why(world: World) {
        for name in ["", "A", "a b", "a:b", &"a".repeat(33)] {
            assert!(EventLog::<u32>::new(world.store.clone(), name, DAY).is_err(), "{name}");
            assert!(log(&world.store).group("all", name).is_err(), "{name}");
        }
        let texts = EventLog::<String>::new(world.store.clone(), "texts", DAY).unwrap();
        let error = texts.append("all", &"x".repeat(64 * 1024)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let pairs = EventLog::<BTreeMap<(u8, u8), u8>>::new(world.store.clone(), "pairs", DAY).unwrap();
        let error = pairs.append("all", &BTreeMap::from([((1, 2), 3)])).await.unwrap_err();
        assert!(error.to_string().contains("JSON"), "{error}");
        let log = log(&world.store);
        for n in 0..32 {
            group(&log, &format!("g{n}")).create().await.unwrap();
        }
        let error = group(&log, "one-more").create().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
    }

    async fn an_event_of_another_type_is_delivered_as_none(world: World) {
        let texts = EventLog::<String>::new(world.store.clone(), "test", DAY).unwrap();
        texts.append("all", &"text".to_owned()).await.unwrap();
        let log = log(&world.store);
        assert_eq!(log.read("all", EventId::ZERO, 9).await.unwrap().events[0].event, None);
        let consumer = group(&log, "mail").consumer();
        let deliveries = read(&consumer, 9).await;
        assert_eq!(deliveries[0].event, None);
        assert_eq!(consumer.reject(&deliveries[0], "not a number").await.unwrap(), Settled::Done);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_other_client_can_read_the_stream() {
    let world = World::redis().await;
    let server = world.server.as_ref().unwrap();
    let log = log(&world.store);
    let ids = append(&log, 1..=2).await;
    let text = |args: &[&str]| format!("{:?}", server.command(args).unwrap());
    let range = text(&["XRANGE", "log:{test:all}", "-", "+"]);
    let id = format!("{:?}", ids[1].to_string().as_bytes());
    assert!(
        range.contains(&id) && range.contains(&format!("{:?}", b"event")),
        "{range}"
    );
    text(&["XGROUP", "CREATE", "log:{test:all}", "other", "0"]);
    let read = text(&[
        "XREADGROUP",
        "GROUP",
        "other",
        "it",
        "STREAMS",
        "log:{test:all}",
        ">",
    ]);
    assert!(read.contains(&id), "{read}");
    // A group that another client wrote is not one of ours, and what it contains does not affect
    // ours.
    assert!(log.info("all").await.unwrap().groups.is_empty());
    assert_eq!(
        self::read(&group(&log, "mail").consumer(), 9).await.len(),
        2
    );
    // An entry that another client wrote has no event.
    text(&["XADD", "log:{test:all}", "*", "field", "value"]);
    let batch = group(&log, "mail").consumer().read(9).await.unwrap();
    assert_eq!(batch.deliveries[0].event, None);
}
