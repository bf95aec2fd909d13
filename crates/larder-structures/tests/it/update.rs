use std::sync::{Arc, LazyLock};

use futures_util::FutureExt as _;
use larder_moka::MokaStore;
use larder_store::{ErrorKind, Key, Kind, Put, PutOutcome, Refusal, Shard, Sharded, Store, Ttl};
use larder_structures::update::{Next, UpdateError, Updates};
use larder_test::faulty::{Faulty, Operations, Switch, Trouble};
use larder_worlds::on_every_store;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::scripted::{End, scripted};

const TALLY: Kind = Kind::pinned("update-tally");
const HOUR: Ttl = Ttl::from_secs(3600);

static KEY: LazyLock<Key> = LazyLock::new(|| Key::new(TALLY, "a"));

fn number(value: Option<&bytes::Bytes>) -> u64 {
    value.map_or(0, |value| {
        std::str::from_utf8(value).unwrap().parse().unwrap()
    })
}

fn next(value: Option<&bytes::Bytes>) -> Next<u64> {
    let next = number(value) + 1;
    Next::put(next.to_string(), HOUR, next)
}

async fn held(store: &Arc<dyn Store>) -> u64 {
    number(
        store
            .get(&KEY)
            .await
            .unwrap()
            .as_ref()
            .map(|entry| &entry.value),
    )
}

/// Writes between the read and the write of an update, whose function waits for it.
fn interfere(store: &Arc<dyn Store>, value: &str) {
    let put = Put::new(KEY.clone(), value.to_owned(), HOUR);
    let done = match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(|| Handle::current().block_on(store.put(&put)))
        }
        // A store in process is ready at once.
        _ => store.put(&put).now_or_never().unwrap(),
    };
    assert_eq!(done.unwrap(), PutOutcome::Stored);
}

fn faulty(store: &Arc<dyn Store>) -> (Updates, Switch) {
    let faulty = Faulty::new(store.clone());
    let switch = faulty.switch();
    (Updates::new(Arc::new(faulty)), switch)
}

fn is_ambiguous(error: &UpdateError) -> bool {
    matches!(error, UpdateError::Store(error) if error.kind() == ErrorKind::MayHaveRun)
}

on_every_store! { memory, redis, cluster;
    async fn a_value_is_made_changed_kept_and_removed(world: World) {
        let updates = Updates::new(world.store.clone());
        assert_eq!(updates.update(&KEY, next).await.unwrap(), 1);
        assert_eq!(updates.update(&KEY, next).await.unwrap(), 2);
        let kept = updates.update(&KEY, |value| Next::Keep(number(value))).await;
        assert_eq!((kept.unwrap(), held(&world.store).await), (2, 2));
        let removed = updates.update(&KEY, |value| Next::Remove(value.is_some()));
        assert!(removed.await.unwrap());
        let removed = updates.update(&KEY, |value| Next::Remove(value.is_some()));
        assert!(!removed.await.unwrap());
        assert!(world.store.get(&KEY).await.unwrap().is_none());
    }

    async fn a_change_of_another_is_never_overwritten(world: World) {
        let updates = Updates::new(world.store.clone());
        let mut runs = 0;
        let updated = updates.update(&KEY, |value| {
            runs += 1;
            if runs == 1 {
                interfere(&world.store, "7");
            }
            next(value)
        });
        assert_eq!(updated.await.unwrap(), 8);
        assert_eq!((runs, held(&world.store).await), (2, 8));
    }

    async fn a_value_that_was_changed_back_counts_as_changed(world: World) {
        let updates = Updates::new(world.store.clone());
        interfere(&world.store, "7");
        let mut runs = 0;
        let updated = updates.update(&KEY, |value| {
            runs += 1;
            if runs == 1 {
                interfere(&world.store, "8");
                interfere(&world.store, "7");
            }
            next(value)
        });
        assert_eq!((updated.await.unwrap(), runs), (8, 2));
    }

    async fn an_update_that_always_meets_another_gives_up(world: World) {
        let updates = Updates::new(world.store.clone()).with_max_attempts(3);
        let mut runs = 0;
        let updated = updates.update(&KEY, |value| {
            runs += 1;
            interfere(&world.store, "7");
            next(value)
        });
        let error = updated.await.unwrap_err();
        assert!(matches!(error, UpdateError::Contended { attempts: 3 }), "{error}");
        assert!(error.to_string().contains("in each of 3 attempts"), "{error}");
        assert_eq!((runs, held(&world.store).await), (3, 7));
    }

    async fn all_that_update_at_once_are_counted(world: World) {
        let updates = Updates::new(world.store.clone()).with_max_attempts(10_000);
        let tasks: Vec<_> = (0..4).map(|_| {
            let updates = updates.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    updates.update(&KEY, next).await.unwrap();
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(held(&world.store).await, 100);
    }

    async fn a_write_whose_reply_was_lost_is_found_by_its_version(world: World) {
        let (updates, switch) = faulty(&world.store);
        let mut runs = 0;
        for first in [1, 2] {
            let updated = updates.update(&KEY, |value| {
                runs += 1;
                switch.set_next(1, Trouble::LoseAnswer);
                next(value)
            });
            assert_eq!(updated.await.unwrap(), first);
        }
        assert_eq!((runs, held(&world.store).await), (2, 2));
    }

    async fn a_write_that_was_lost_with_its_reply_is_sent_again(world: World) {
        interfere(&world.store, "1");
        let (updates, switch) = faulty(&world.store);
        let updated = updates.update(&KEY, |value| {
            switch.set_next(1, Trouble::Fail(ErrorKind::MayHaveRun));
            next(value)
        });
        assert_eq!((updated.await.unwrap(), held(&world.store).await), (2, 2));
    }

    async fn where_a_lost_reply_cannot_be_settled_the_error_says_so(world: World) {
        // Somebody else wrote after the read, so nobody can tell whether the write came first.
        let (updates, switch) = faulty(&world.store);
        interfere(&world.store, "1");
        let updated = updates.update(&KEY, |value| {
            switch.set_next(1, Trouble::Fail(ErrorKind::MayHaveRun));
            interfere(&world.store, "7");
            next(value)
        });
        assert!(is_ambiguous(&updated.await.unwrap_err()));
        assert_eq!(held(&world.store).await, 7);
        // The replies of all writes are lost, and none is carried out.
        switch.set_on(Operations::Writes, Trouble::Fail(ErrorKind::MayHaveRun));
        assert!(is_ambiguous(&updates.update(&KEY, next).await.unwrap_err()));
        assert_eq!(held(&world.store).await, 7);
    }

    async fn an_update_whose_value_could_not_be_read_was_not_sent(world: World) {
        let store = scripted(&world.store, &[End::Fails(ErrorKind::MayHaveRun)]);
        let error = Updates::new(store).update(&KEY, next).await.unwrap_err();
        assert!(matches!(&error, UpdateError::Store(it) if it.kind() == ErrorKind::NotSent), "{error:?}");
        // Nor is one that removes a value, if it cannot be looked up that there is none.
        let store = scripted(&world.store, &[End::Well, End::Fails(ErrorKind::MayHaveRun)]);
        let remove = |_: Option<&bytes::Bytes>| Next::Remove(());
        let error = Updates::new(store).update(&KEY, remove).await.unwrap_err();
        assert!(matches!(&error, UpdateError::Store(it) if it.kind() == ErrorKind::NotSent), "{error:?}");
        // A refusal stays one.
        let refused = ErrorKind::Refused(Refusal::Denied);
        let store = scripted(&world.store, &[End::Fails(refused)]);
        let error = Updates::new(store).update(&KEY, next).await.unwrap_err();
        assert!(matches!(&error, UpdateError::Store(it) if it.kind() == refused), "{error:?}");
    }

    async fn a_write_that_may_have_run_stays_so_if_the_store_fails_when_it_is_looked_for(world: World) {
        interfere(&world.store, "1");
        // The first put arrives after all, just before the second, which then finds its condition unmet.
        let store = scripted(&world.store, &[
            End::Well,
            End::Fails(ErrorKind::MayHaveRun),
            End::Well,
            End::Late,
            End::Fails(ErrorKind::NotSent),
        ]);
        let error = Updates::new(store).update(&KEY, next).await.unwrap_err();
        assert!(is_ambiguous(&error), "{error:?}");
        assert_eq!(held(&world.store).await, 2);
    }
}

/// Over shards, an evictable key of a lost server reads as absent.
#[tokio::test]
async fn no_removal_is_reported_that_a_lost_shard_has_not_carried_out() {
    let key = Key::new(Kind::evictable("update-page"), "a");
    let faulty = Faulty::new(Arc::new(MokaStore::new()));
    let switch = faulty.switch();
    let sharded = Sharded::new([Shard::new("only", Arc::new(faulty))]).unwrap();
    let store: Arc<dyn Store> = Arc::new(sharded);
    let updates = Updates::new(store.clone());
    let remove = |value: Option<&bytes::Bytes>| Next::Remove(value.is_some());
    assert!(!updates.update(&key, remove).await.unwrap(), "it is absent");
    let put = Put::new(key.clone(), "7", HOUR);
    assert_eq!(store.put(&put).await.unwrap(), PutOutcome::Stored);
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    let lost = updates.update(&key, remove).await;
    assert!(
        matches!(&lost, Err(UpdateError::Store(error)) if error.kind() == ErrorKind::NotSent),
        "{lost:?}"
    );
    // The first command after a break in the connection fails, and the next one works.
    switch.set_next(1, Trouble::Fail(ErrorKind::NotSent));
    assert!(updates.update(&key, remove).await.unwrap());
    assert!(store.get(&key).await.unwrap().is_none());
}
