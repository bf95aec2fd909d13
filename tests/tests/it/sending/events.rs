//! Topics and event logs.

use std::time::Duration;

use larder::events::log::{Consumer, Delivery, EventId, EventLog, Group, MessageId};
use larder::events::topic::{Position, Subscriber, Topic};

use super::{assert_send, send_and_sync};

fn topics(topic: &Topic<u32>, from: Position, subscriber: &mut Subscriber<u32>) {
    sent! {
        topic.publish("id", &1);
        topic.position("id");
        topic.subscribe("id");
        topic.resume("id", from);
        topic.subscribe_all();
        subscriber.next();
    }
}

fn logs(log: &EventLog<u32>, event: EventId) {
    let message = MessageId {
        producer: "web",
        id: "1",
    };
    sent! {
        log.append("id", &1);
        log.append_many("id", &[1]);
        log.append_once("id", message, &1);
        log.read("id", event, 1);
        log.read_until("id", event, event, 1);
        log.dead_letters("id", event, 1);
        log.remove_dead_letter("id", event);
        log.info("id");
        log.inspect("id");
    }
}

fn groups(group: &Group<u32>) {
    sent! {
        group.create();
        group.remove_consumer("name");
        group.remove();
    }
}

fn consumers(
    consumer: &Consumer<u32>,
    waiting: &mut Consumer<u32>,
    [one, other]: [Consumer<u32>; 2],
    held: &Delivery<u32>,
) {
    sent! {
        consumer.read(1);
        consumer.ack(held);
        consumer.ack_many(std::slice::from_ref(held));
        consumer.nack(held, Duration::ZERO);
        consumer.reject(held, "no");
        consumer.extend(std::slice::from_ref(held));
        one.close();
        other.run_until(std::future::pending(), async |_| Ok(()));
        waiting.next(1, Duration::ZERO);
    }
}

#[test]
fn the_futures_of_topics_and_logs_can_be_sent() {
    let _ = topics;
    let _ = logs;
    let _ = groups;
    let _ = consumers;
    send_and_sync::<(Topic<u32>, Subscriber<u32>, Position)>();
    send_and_sync::<(EventLog<u32>, Group<u32>, Consumer<u32>, Delivery<u32>)>();
}
