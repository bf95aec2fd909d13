//! No waker and no drop of a user's value runs under a lock of the store. Here each of them uses the
//! store, so under a lock it would wait for ever.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use larder_store::bus::{Bus, Channel, SubscribeRequest, Topic};
use larder_store::lease::{Claim, Claimed, Leases};
use larder_store::program::{
    Args, Effect, Inspection, Program, Programs, Record, Script, Slot, Wire,
};
use larder_store::{Clock, Key, KeyId, Kind, ManualClock, Put, Result, Store, Timestamp, Ttl};

use super::support::{HOUR, PAGE, SEAT, SECOND, put, store_with};
use crate::MokaStore;

const NEWS: Topic = Topic::broadcast("news");

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(ready) => ready,
        Poll::Pending => panic!("it waits"),
    }
}

/// Fails if `what` waits for a lock that its own thread holds.
fn ends(what: impl FnOnce() + Send + 'static) {
    let (done, told) = mpsc::channel();
    std::thread::spawn(move || {
        what();
        let _ = done.send(());
    });
    let ended = told.recv_timeout(Duration::from_secs(10));
    assert!(ended.is_ok(), "it waits for a lock that it holds itself");
}

type Act = Box<dyn Fn() + Send + Sync>;

/// Runs a function when it is woken, like an executor that runs its tasks in place.
struct OnWake(Act);

impl Wake for OnWake {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn waker(act: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(OnWake(Box::new(act))).into()
}

/// A manual clock that wakes no task when it is moved.
struct Unwatched(ManualClock);

impl Clock for Unwatched {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Bytes, or a part of a record, that run a function when they are dropped.
struct OnDrop(Act);

impl AsRef<[u8]> for OnDrop {
    fn as_ref(&self) -> &[u8] {
        b"value"
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Takes every lock of the operations on this key, and those of sweeps if there is no room for three
/// more keys.
fn uses(store: &Arc<MokaStore>, key: &Key) -> Act {
    let (store, key) = (Arc::downgrade(store), key.clone());
    Box::new(move || {
        let Some(store) = store.upgrade() else { return };
        let more = (0..3_u8).map(|id| Key::new(key.kind(), ("more", id)));
        for key in more.chain([key.clone()]) {
            now(store.claim(&Claim::new(key.clone(), SECOND))).ok();
            now(store.put(&Put::new(key, "from a drop", HOUR))).ok();
        }
        let _ = now(store.invalidate(&key)).unwrap();
    })
}

#[test]
fn the_end_of_a_subscription_wakes_no_task_under_a_lock() {
    let channel = Channel::new(NEWS, 1_u8);
    for request in [
        SubscribeRequest::to_channel(channel.clone()),
        SubscribeRequest::to_topic(NEWS),
    ] {
        let (store, _) = store_with(|builder| builder);
        let mut subscription = now(store.subscribe(request.clone())).unwrap();
        let (other, to) = (store.clone(), channel.clone());
        let waker = waker(move || {
            now(other.publish(&to, "x".into())).unwrap();
            now(other.subscribe(SubscribeRequest::to_topic(NEWS).and_channel(to.clone()))).unwrap();
        });
        let mut context = Context::from_waker(&waker);
        assert!(subscription.poll_next(&mut context).is_pending());
        ends(move || drop(subscription));
    }
}

#[test]
fn a_lease_that_ends_or_is_shortened_wakes_no_task_under_a_lock() {
    type End = fn(&MokaStore, &Key, larder_store::lease::Fence);
    let ends_of_a_lease: [End; 6] = [
        |store, key, fence| assert!(now(store.renew(key, fence, SECOND)).unwrap().is_held()),
        |store, key, fence| assert!(now(store.abandon(key, fence)).unwrap().is_held()),
        |store, key, _| assert!(!now(store.invalidate(key)).unwrap().is_deleted()),
        |store, key, fence| {
            let put = Put::new(key.clone(), "made", HOUR);
            assert!(now(store.commit(&put, fence)).unwrap().is_stored());
        },
        // Its time has passed, and the next access to its shard finds it.
        |store, key, _| {
            let claim = Claim::new(key.clone(), SECOND);
            assert!(matches!(now(store.claim(&claim)), Ok(Claimed::Lead(_))));
        },
        // Its time has passed, and a sweep that makes room finds it.
        |store, _, _| {
            for id in 0..64 {
                let claim = Claim::new(Key::new(PAGE, ("other", id)), SECOND);
                now(store.claim(&claim)).ok();
            }
        },
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    for (number, end) in ends_of_a_lease.into_iter().enumerate() {
        let clock = ManualClock::default();
        let store = MokaStore::builder().with_clock(Unwatched(clock.clone()));
        let store = Arc::new(store.with_max_leases(2).build());
        let key = Key::new(PAGE, 1_u8);
        let claim = Claim::new(key.clone(), HOUR);
        let Claimed::Lead(fence) = now(store.claim(&claim)).unwrap() else {
            panic!("nobody else leads");
        };
        let (woken, uses) = (Arc::new(AtomicBool::new(false)), uses(&store, &key));
        let tells = woken.clone();
        let waker = waker(move || {
            uses();
            tells.store(true, Ordering::SeqCst);
        });
        let (following, of) = (store.clone(), key.clone());
        let mut follow = Box::pin(async move { following.follow(&of, Duration::MAX).await });
        let mut context = Context::from_waker(&waker);
        assert!(follow.as_mut().poll(&mut context).is_pending());
        assert!(now(store.renew(&key, fence, HOUR)).unwrap().is_held());
        assert!(!woken.load(Ordering::SeqCst), "it ends no sooner");
        if number >= 4 {
            clock.advance(HOUR.into());
        }
        ends(move || end(&store, &key, fence));
        assert!(woken.load(Ordering::SeqCst), "end {number} wakes nobody");
    }
}

#[test]
fn no_value_is_dropped_under_a_lock() {
    type Act = fn(&MokaStore, &Key, larder_store::lease::Fence);
    let acts: [Act; 5] = [
        |store, key, _| {
            assert!(
                now(store.put(&Put::new(key.clone(), "new", HOUR)))
                    .unwrap()
                    .is_stored()
            )
        },
        |store, key, _| {
            let delete = larder_store::Delete::new(key.clone());
            assert!(now(store.delete(&delete)).unwrap().is_deleted());
        },
        |store, key, fence| {
            let put = Put::new(key.clone(), "new", HOUR);
            assert!(now(store.commit(&put, fence)).unwrap().is_stored());
        },
        |store, key, _| assert!(now(store.invalidate(key)).unwrap().is_deleted()),
        // It has expired, and the claim that reads it removes it.
        |store, key, _| {
            now(store.claim(&Claim::new(key.clone(), SECOND))).unwrap();
        },
    ];
    for (number, act) in acts.into_iter().enumerate() {
        let (store, clock) = store_with(|builder| builder);
        let key = Key::new(SEAT, 1_u8);
        let claim = Claim::new(key.clone(), Ttl::MAX);
        let Claimed::Lead(fence) = now(store.claim(&claim)).unwrap() else {
            panic!("nobody else leads");
        };
        let value = Bytes::from_owner(OnDrop(uses(&store, &key)));
        let _ = now(store.put(&Put::new(key.clone(), value, SECOND))).unwrap();
        if number == 4 {
            clock.advance(SECOND.into());
        }
        ends(move || act(&store, &key, fence));
    }
}

#[test]
fn values_that_make_room_are_not_dropped_under_a_lock() {
    let (store, clock) = store_with(|builder| builder.with_max_keys_of(SEAT, 1));
    let key = Key::new(SEAT, 1_u8);
    let value = Bytes::from_owner(OnDrop(uses(&store, &key)));
    let _ = now(store.put(&Put::new(key, value, SECOND))).unwrap();
    clock.advance(SECOND.into());
    ends(move || {
        // One of these is not in the shard of the key that has expired, so that a sweep finds it.
        for id in 2..5_u8 {
            now(store.put(&put(SEAT, id, SECOND))).ok();
        }
    });
}

/// A record that runs a function when it is dropped.
struct Owned(#[expect(dead_code, reason = "it is there to be dropped")] OnDrop);

impl Owned {
    fn key(id: impl KeyId) -> Key {
        Key::new(Self::KIND, id)
    }
}

impl Record for Owned {
    const KIND: Kind = Kind::record("owned");
    type Inspect = Nothing;
}

#[derive(Default)]
struct Nothing;

static NONE: Script = Script::new("none", Effect::Once, "");

impl Program for Nothing {
    type Record = Owned;
    type Reply = Inspection;
    const SCRIPT: &'static Script = &NONE;

    fn args(&self, _: &mut Args) {}

    fn step(&self, _: &mut Slot<'_, Owned>, _: Timestamp) -> Inspection {
        Inspection::new()
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}

/// Puts a record that runs another program when it is dropped, or removes the existing one.
struct Own(Arc<MokaStore>, bool);

impl Program for Own {
    type Record = Owned;
    type Reply = ();
    const SCRIPT: &'static Script = &NONE;

    fn args(&self, _: &mut Args) {}

    fn step(&self, slot: &mut Slot<'_, Owned>, _: Timestamp) {
        if !self.1 {
            return slot.remove();
        }
        let store = Arc::downgrade(&self.0);
        let act = move || {
            if let Some(store) = store.upgrade() {
                let programs: Arc<dyn Programs> = store;
                now(programs.run(&Owned::key(1_u8), &Nothing)).unwrap();
            }
        };
        slot.put(Owned(OnDrop(Box::new(act))), SECOND);
    }

    fn reply(&self, _: Wire) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_record_that_is_replaced_removed_or_expired_is_not_dropped_under_a_lock() {
    let (store, clock) = store_with(|builder| builder.with_max_keys_of(Owned::KIND, 1));
    ends(move || {
        let programs: Arc<dyn Programs> = store.clone();
        let key = Owned::key(1_u8);
        let run = |puts| now(programs.run(&key, &Own(store.clone(), puts))).unwrap();
        run(true);
        run(true);
        run(false);
        run(true);
        clock.advance(SECOND.into());
        run(true);
        // A record for which there is no room is undone.
        let other = Owned::key(2_u8);
        assert!(now(programs.run(&other, &Own(store.clone(), true))).is_err());
        clock.advance(SECOND.into());
        now(programs.run(&other, &Own(store.clone(), true))).unwrap();
    });
}
