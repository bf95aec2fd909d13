use std::sync::Arc;

use larder_redis::RedisStore;
use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::program::Run;
use larder_store::{Delete, ExpireOutcome, Key, Put, SettleOutcome, Store, StoreExt, Ttl};

use super::{Frozen, LONG, SHORT, confirmed, has, replicas, trio, unconfirmed};
use crate::support::{Add, Look, Remove, Set, calls, key, programs, put, tally};

const ADD: Add = Add { by: 1, ms: 60_000 };

async fn lead(leases: &Arc<dyn Leases>, key: &Key) -> Fence {
    let claim = Claim::new(key.clone(), Ttl::from_secs(60));
    match leases.claim(&claim).await.unwrap() {
        Claimed::Lead(fence) => fence,
        other => panic!("{other:?}"),
    }
}

fn leases(store: &Arc<RedisStore>) -> Arc<dyn Leases> {
    store.clone().leases().unwrap()
}

#[tokio::test]
async fn an_acknowledged_write_is_on_every_requested_replica() {
    let (trio, _turn) = trio().await;
    let store = confirmed(&trio.url(), 2, LONG).await;
    let on_all = |key: &Key| replicas(trio).iter().all(|replica| has(replica, key));
    let on_none = |key: &Key| !replicas(trio).iter().any(|replica| has(replica, key));
    for id in 100..120_u64 {
        assert!(store.put(&put(id, "x")).await.unwrap().is_stored());
        assert!(on_all(&key(id)));
        assert!(
            store
                .delete(&Delete::new(key(id)))
                .await
                .unwrap()
                .is_deleted()
        );
        assert!(on_none(&key(id)));
        let add = programs(&store).run(&tally(id), &ADD).await;
        assert_eq!(add.unwrap(), 1);
        assert!(on_all(&tally(id)));
        let fence = lead(&leases(&store), &key(id)).await;
        assert!(
            leases(&store)
                .commit(&put(id, "y"), fence)
                .await
                .unwrap()
                .is_stored()
        );
        assert!(on_all(&key(id)));
        assert!(
            leases(&store)
                .invalidate(&key(id))
                .await
                .unwrap()
                .is_deleted()
        );
        assert!(on_none(&key(id)));
    }
}

#[tokio::test]
async fn each_unconfirmed_write_is_an_error_and_has_run() {
    let (trio, _turn) = trio().await;
    let patient = confirmed(&trio.url(), 1, LONG).await;
    let store = confirmed(&trio.url(), 1, SHORT).await;
    let (programs, leases) = (programs(&store), leases(&store));
    let (old, gone) = (put(1, "old"), put(2, "gone"));
    let _ = patient.put(&old).await.unwrap();
    let _ = patient.put(&gone).await.unwrap();
    let _ = patient.put(&put(4, "stale")).await.unwrap();
    let _ = self::leases(&patient).invalidate(&key(3)).await.unwrap();
    let fence = lead(&leases, &key(3)).await;
    let _frozen = Frozen::new(replicas(trio));

    let new = put(1, "new").if_version(old.version());
    let error = unconfirmed(store.put(&new).await);
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");
    assert_eq!(store.settle(&new).await.unwrap(), SettleOutcome::Stored);
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().value, "new");

    unconfirmed(store.expire(&key(1), Ttl::from_secs(5)).await);
    let ttl = store.ttl(&key(1)).await.unwrap().unwrap();
    assert!(ttl <= Ttl::from_secs(5), "{ttl:?}");

    unconfirmed(store.delete(&Delete::new(key(2))).await);
    assert_eq!(store.get(&key(2)).await.unwrap(), None);

    let before = calls(trio.master().unwrap(), "evalsha");
    let _ = programs.run(&tally(900), &Look::default()).await.unwrap();
    unconfirmed(programs.run(&tally(901), &ADD).await);
    let set = Set { to: 7, ms: 60_000 };
    unconfirmed(programs.run(&tally(902), &set).await);
    assert_eq!(calls(trio.master().unwrap(), "evalsha"), before + 3);
    assert!(has(trio.master().unwrap(), &tally(901)));

    unconfirmed(leases.commit(&put(3, "led"), fence).await);
    assert_eq!(store.get(&key(3)).await.unwrap().unwrap().value, "led");
    unconfirmed(leases.invalidate(&key(4)).await);
    assert_eq!(store.get(&key(4)).await.unwrap(), None);
    // Claims do not wait for replicas: if one is lost with its master, its commit is refused.
    lead(&leases, &key(4)).await;
}

#[tokio::test]
async fn an_unconfirmed_value_is_confirmed_when_it_is_put_again() {
    let (trio, _turn) = trio().await;
    // The other replica has enough time to confirm it.
    let store = confirmed(&trio.url(), 2, 8 * SHORT).await;
    let value = put(20, "x");
    let frozen = Frozen::new(vec![replicas(trio)[0]]);
    let error = unconfirmed(store.put(&value).await);
    assert!(error.to_string().contains("1 of 2 replicas"), "{error}");
    let one = confirmed(&trio.url(), 1, LONG).await;
    assert!(
        one.put(&put(21, "one is enough"))
            .await
            .unwrap()
            .is_stored()
    );
    drop(frozen);
    let patient = confirmed(&trio.url(), 2, LONG).await;
    assert!(patient.put(&value).await.unwrap().is_stored());
    assert!(replicas(trio).iter().all(|replica| has(replica, &key(20))));
}

#[tokio::test]
async fn what_wrote_nothing_needs_no_confirmation_and_neither_does_a_read_beside_a_write() {
    let (trio, _turn) = trio().await;
    let patient = confirmed(&trio.url(), 1, LONG).await;
    let store = confirmed(&trio.url(), 1, SHORT).await;
    let (there, other) = (put(40, "x"), put(41, "y"));
    let _ = patient.put(&there).await.unwrap();
    programs(&patient).run(&tally(40), &ADD).await.unwrap();
    let _frozen = Frozen::new(replicas(trio));

    let not_stored = [
        put(40, "z").if_absent(),
        put(42, "z").if_present(),
        put(40, "z").if_version(other.version()),
    ];
    let not_deleted = [
        Delete::new(key(42)),
        Delete::new(key(40)).if_version(other.version()),
    ];
    for put in &not_stored {
        assert!(!store.put(put).await.unwrap().is_stored());
    }
    for delete in &not_deleted {
        assert!(!store.delete(delete).await.unwrap().is_deleted());
    }
    let many = [&not_stored[..], std::slice::from_ref(&other)].concat();
    let mut outcomes = store.put_many(&many).await;
    unconfirmed(outcomes.pop().unwrap());
    assert!(!outcomes.into_iter().any(|it| it.unwrap().is_stored()));
    let outcomes = store.delete_many(&not_deleted).await;
    assert!(!outcomes.into_iter().any(|it| it.unwrap().is_deleted()));
    let lost = Fence::from_u64(1);
    let committed = leases(&store).commit(&put(43, "z"), lost).await;
    assert!(!committed.unwrap().is_stored());
    let expired = store.expire(&key(42), Ttl::from_secs(5)).await;
    assert_eq!(expired.unwrap(), ExpireOutcome::NotFound);

    let look = Look::default();
    let (mut reading, mut writing) = (Run::new(&look), Run::new(&ADD));
    let calls = [
        (&tally(40), &mut reading as _),
        (&tally(41), &mut writing as _),
    ];
    let [read, wrote] = programs(&store).run_each(calls).await;
    assert_eq!(reading.reply(read).unwrap().fields()[0].1, "1");
    unconfirmed(writing.reply(wrote));
    // Nobody but the program knows whether it wrote.
    let error = unconfirmed(programs(&store).run(&tally(49), &Remove::default()).await);
    assert!(error.to_string().contains("if anything"), "{error}");
}

#[tokio::test]
async fn refused_writes_and_reads_do_not_wait_for_replicas() {
    let (trio, _turn) = trio().await;
    let store = confirmed(&trio.url(), 1, LONG).await;
    let _ = store.put(&put(30, "x")).await.unwrap();
    let master = trio.master().unwrap();
    let before = calls(master, "wait");
    store.get(&key(30)).await.unwrap();
    store.get_many(&[key(30), key(31)]).await;
    store.ttl(&key(30)).await.unwrap();
    programs(&store)
        .run(&tally(30), &Look::default())
        .await
        .unwrap();
    assert_eq!(calls(master, "wait"), before);

    // A refusal of the server is returned without waiting for replicas.
    master.command(&["LPUSH", key(32).as_str(), "x"]).unwrap();
    let _frozen = Frozen::new(replicas(trio));
    let on_version = put(32, "x").if_version(Put::new(key(1), "", Ttl::from_secs(1)).version());
    let error = store.put(&on_version).await.unwrap_err();
    assert!(error.had_no_effect(), "{error}");
}
