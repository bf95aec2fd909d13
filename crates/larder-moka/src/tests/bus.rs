use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use larder_store::Store;
use larder_store::bus::{Bus, Channel, Event, SubscribeRequest, Subscription, Topic};
use parking_lot::Mutex;

use super::support::{is_full, store_with};
use crate::MokaStore;

const FILM: Topic = Topic::broadcast("film");

fn film(id: u32) -> Channel {
    Channel::new(FILM, id)
}

fn heard(subscription: &mut Subscription) -> Vec<Option<Event>> {
    let mut heard = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(event) = subscription.poll_next(&mut context) {
        let is_end = event.is_none();
        heard.push(event);
        if is_end {
            break;
        }
    }
    heard
}

async fn listen(store: &MokaStore, id: u32) -> Subscription {
    let request = SubscribeRequest::to_channel(film(id));
    store.subscribe(request).await.unwrap()
}

#[tokio::test]
async fn a_channel_without_subscribers_takes_no_room() {
    let (store, _) = store_with(|builder| builder);
    let mut subscriptions = Vec::new();
    for id in 0..100 {
        subscriptions.push(listen(&store, id % 50).await);
        let both =
            SubscribeRequest::to_topic(FILM).and_channel(Channel::new(Topic::sharded("seat"), id));
        subscriptions.push(store.subscribe(both).await.unwrap());
    }
    assert_eq!(store.subscribers.held(), (300, 151));
    while let Some(subscription) = subscriptions.pop() {
        drop(subscription);
        store.publish(&film(7), "x".into()).await.unwrap();
    }
    assert_eq!(store.subscribers.held(), (0, 0));
}

#[tokio::test]
async fn one_subscription_more_than_there_is_room_for_is_refused() {
    let (store, _) = store_with(|builder| builder.with_max_subscriptions(3));
    let first = listen(&store, 1).await;
    let two =
        SubscribeRequest::to_topic(FILM).and_channel(Channel::new(Topic::broadcast("seat"), 1_u32));
    let three = two.clone().and_topic(Topic::broadcast("row"));
    assert!(is_full(&store.subscribe(three).await.unwrap_err()));
    let mut second = store.subscribe(two.clone()).await.unwrap();
    assert!(is_full(
        &store
            .subscribe(SubscribeRequest::to_channel(film(1)))
            .await
            .unwrap_err()
    ));
    assert_eq!(store.subscribers.held(), (3, 3));
    store.publish(&film(1), "x".into()).await.unwrap();
    assert_eq!(heard(&mut second).len(), 1);
    drop((first, second));
    assert!(store.subscribe(two).await.is_ok());
}

#[tokio::test]
async fn a_subscription_ends_with_the_store_after_its_last_messages() {
    let (store, _) = store_with(|builder| builder);
    let mut subscription = listen(&store, 1).await;
    store.publish(&film(1), "last".into()).await.unwrap();
    let bus = store.clone().bus().unwrap();
    drop(store);
    assert_eq!(heard(&mut subscription).len(), 1);
    drop(bus);
    assert_eq!(heard(&mut subscription), [None]);
}

/// A waker that publishes and drops a subscription at once, like an executor that runs its tasks in
/// place.
struct InPlace {
    store: Arc<MokaStore>,
    subscription: Mutex<Option<Subscription>>,
}

impl Wake for InPlace {
    fn wake(self: Arc<Self>) {
        drop(self.subscription.lock().take());
        let channel = film(1);
        let publish = self.store.publish(&channel, "from a waker".into());
        let mut publish = std::pin::pin!(publish);
        let polled = publish
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    }
}

#[tokio::test]
async fn a_waker_may_use_the_bus() {
    let (store, _) = store_with(|builder| builder);
    let mut woken = listen(&store, 1).await;
    let waker = Arc::new(InPlace {
        store: store.clone(),
        subscription: Mutex::new(Some(listen(&store, 1).await)),
    });
    let waker = Waker::from(waker);
    assert!(
        woken
            .poll_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    store.publish(&film(1), "one".into()).await.unwrap();
    assert_eq!(heard(&mut woken).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_stays_hears_each_message_once_while_others_come_and_go() {
    const MESSAGES: u32 = 2_000;
    let (store, _) = store_with(|builder| builder);
    let room = NonZeroUsize::new(MESSAGES as usize).unwrap();
    let mut stays = Vec::new();
    for _ in 0..40 {
        let request = SubscribeRequest::to_channel(film(1)).with_buffer(room);
        stays.push(store.subscribe(request).await.unwrap());
    }
    let others = store.clone();
    let others = tokio::spawn(async move {
        let mut held = Vec::new();
        for _ in 0..MESSAGES {
            held.push(listen(&others, 1).await);
            if held.len() > 30 {
                held.swap_remove(fastrand::usize(..held.len()));
            }
        }
    });
    for number in 0..MESSAGES {
        store
            .publish(&film(1), number.to_string().into())
            .await
            .unwrap();
    }
    others.await.unwrap();
    for mut subscription in stays {
        let texts = heard(&mut subscription)
            .into_iter()
            .map(|event| match event {
                Some(Event::Message(message)) => message.payload,
                other => panic!("{other:?}"),
            });
        assert!(texts.eq((0..MESSAGES).map(|number| number.to_string())));
    }
    assert_eq!(store.subscribers.held(), (0, 0));
}
