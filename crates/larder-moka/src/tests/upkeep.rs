use std::sync::{Arc, Weak, mpsc};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{Delete, Key, Put, Store};

use super::support::*;
use crate::MokaStore;

// `held` checks that table, items, deadlines and cap agree, so what these loops leave behind is all
// that exists.

#[tokio::test]
async fn nothing_is_left_by_puts_and_deletes_in_a_loop() {
    let (store, _) = store_with(|store| store);
    for at in 0..20_000_u32 {
        let put = put(SEAT, at % 7, HOUR);
        let _ = store.put(&put).await.unwrap();
        if at % 3 == 0 {
            let delete = Delete::new(put.key().clone());
            let _ = store.delete(&delete).await.unwrap();
        }
    }
    assert!(store.pinned.held(SEAT) <= 7);
}

#[tokio::test]
async fn a_deadline_that_is_moved_for_ever_takes_no_more_room() {
    let (store, clock) = store_with(|store| store);
    let put = put(SEAT, "a", HOUR);
    let _ = store.put(&put).await.unwrap();
    for at in 0..20_000_u64 {
        let ttl = Duration::from_millis(1_000_000 - (at * 7919) % 999_000);
        assert!(
            store
                .expire(put.key(), ttl.try_into().unwrap())
                .await
                .unwrap()
                .is_set()
        );
        clock.advance_micros(10);
        assert_eq!(store.pinned.held(SEAT), 1);
    }
}

#[tokio::test]
async fn expired_keys_are_collected_by_later_writes_of_the_kind() {
    let (store, clock) = store_with(|store| store);
    for at in 0..2000_u32 {
        let _ = store.put(&put(SEAT, at, SECOND)).await.unwrap();
    }
    clock.advance(SECOND.into());
    assert_eq!(store.pinned.held(SEAT), 2000);
    for at in 0..10_000_u32 {
        let _ = store.put(&put(SEAT, ("new", at), HOUR)).await.unwrap();
    }
    assert_eq!(store.pinned.held(SEAT), 10_000);
}

/// A value that reads the store when it is dropped.
struct Nosy(Weak<MokaStore>, mpsc::Sender<()>);

impl AsRef<[u8]> for Nosy {
    fn as_ref(&self) -> &[u8] {
        b"nosy"
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let Some(store) = self.0.upgrade() else {
            return;
        };
        let read = store.get_now(&Key::new(SEAT, "a"));
        assert!(matches!(read, Poll::Ready(Ok(_))));
        self.1.send(()).unwrap();
    }
}

#[test]
fn removed_values_are_dropped_after_the_lock_is_released() {
    let (store, clock) = store_with(|store| store);
    let (dropped, drops) = mpsc::channel();
    let write = {
        let store = store.clone();
        move |ttl| {
            let value = Bytes::from_owner(Nosy(Arc::downgrade(&store), dropped.clone()));
            let put = Put::new(Key::new(SEAT, "a"), value, ttl);
            let Poll::Ready(Ok(outcome)) = store.put_now(&put) else {
                panic!("a put in process is ready at once");
            };
            assert!(outcome.is_stored());
        }
    };
    // A deadlock would hang here, so the thread is awaited from outside.
    std::thread::spawn(move || {
        write(SECOND); // replaced by the next
        write(SECOND); // expired at the next
        clock.advance(SECOND.into());
        write(SECOND); // deleted
        let delete = Delete::new(Key::new(SEAT, "a"));
        let Poll::Ready(Ok(outcome)) = store.delete_now(&delete) else {
            panic!("a delete in process is ready at once");
        };
        assert!(outcome.is_deleted());
    });
    for _ in 0..3 {
        drops.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
