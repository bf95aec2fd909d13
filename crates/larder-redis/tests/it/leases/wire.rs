use larder_store::lease::{Claimed, Fence};
use larder_store::{DeleteOutcome, Store, Ttl};
use larder_test::server::Reply;

use super::{beside, claim, lead, leases};
use crate::support::{calls, key, ok, put, server, store};

#[tokio::test]
async fn a_committed_value_is_stored_like_a_put() {
    let server = server();
    let store = store(&server).await;
    let leases = leases(&store);
    let put = put(1, "one");
    let fence = lead(&leases, put.key()).await;
    assert!(leases.commit(&put, fence).await.unwrap().is_stored());
    let committed = ok(&server, &["GET", put.key().as_str()]);
    let ttl = ok(&server, &["PTTL", put.key().as_str()]).int().unwrap();
    assert!((1..=60_000).contains(&ttl), "{ttl}");
    let _ = store.put(&put).await.unwrap();
    assert_eq!(ok(&server, &["GET", put.key().as_str()]), committed);
}

#[tokio::test]
async fn a_lease_is_one_key_that_outlives_it_by_a_minute() {
    let server = server();
    let leases = leases(&store(&server).await);
    let fence = lead(&leases, &key(1)).await;
    let keys = ok(&server, &["KEYS", "*"]);
    assert_eq!(
        keys,
        Reply::Array(vec![Reply::Bulk(beside(&key(1)).into())])
    );
    let ttl = ok(&server, &["PTTL", &beside(&key(1))]).int().unwrap();
    assert!((90_000..=120_000).contains(&ttl), "{ttl}");
    assert!(leases.abandon(&key(1), fence).await.unwrap().is_held());
    let ttl = ok(&server, &["PTTL", &beside(&key(1))]).int().unwrap();
    assert!((30_000..=60_000).contains(&ttl), "{ttl}");
    let state = ok(&server, &["GET", &beside(&key(1))]);
    assert_eq!(state.text().unwrap(), format!("{} 0", fence.as_u64()));
}

#[tokio::test]
async fn a_commit_whose_fence_is_gone_is_refused() {
    let server = server();
    let store = store(&server).await;
    let leases = leases(&store);
    let put = put(1, "one");
    let fence = lead(&leases, put.key()).await;
    ok(&server, &["DEL", &beside(put.key())]);
    assert!(!leases.commit(&put, fence).await.unwrap().is_stored());
    assert!(
        !leases
            .renew(put.key(), fence, Ttl::from_secs(1))
            .await
            .unwrap()
            .is_held()
    );
    assert_eq!(store.get(put.key()).await.unwrap(), None);
    assert!(lead(&leases, put.key()).await > fence);
}

#[tokio::test]
async fn bytes_of_another_client_are_not_a_lease_or_a_value() {
    let server = server();
    let leases = leases(&store(&server).await);
    ok(&server, &["SET", key(1).as_str(), "short"]);
    for garbage in ["", "x", "1", "1 2 3", "-1 99999999999999999", "1  2f"] {
        ok(&server, &["SET", &beside(&key(1)), garbage]);
        let refused = leases.commit(&put(1, "one"), Fence::from_u64(1)).await;
        assert!(!refused.unwrap().is_stored(), "{garbage}");
        lead(&leases, &key(1)).await;
    }
    assert!(leases.invalidate(&key(1)).await.unwrap().is_deleted());
    assert_eq!(ok(&server, &["EXISTS", key(1).as_str()]), Reply::Int(0));
}

#[tokio::test]
async fn each_operation_is_one_call_and_publishes_only_to_followers() {
    let server = server();
    let store = store(&server).await;
    let leases = leases(&store);
    // The server has the scripts after the first round.
    for round in 0..2 {
        let before = (calls(&server, "evalsha"), calls(&server, "get"));
        let fence = lead(&leases, &key(1)).await;
        let _ = leases
            .renew(&key(1), fence, Ttl::from_secs(9))
            .await
            .unwrap();
        assert!(
            leases
                .commit(&put(1, "one"), fence)
                .await
                .unwrap()
                .is_stored()
        );
        let claimed = leases.claim(&claim(&key(1))).await.unwrap();
        assert!(matches!(claimed, Claimed::Fresh(_)), "{claimed:?}");
        let _ = leases.invalidate(&key(1)).await.unwrap();
        leases.invalidate_many(&[key(1), key(2)]).await;
        if round == 1 {
            assert_eq!(calls(&server, "evalsha"), before.0 + 7);
        }
    }
    assert_eq!(calls(&server, "publish"), 0);
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_sent_them_again() {
    let server = server();
    let leases = leases(&store(&server).await);
    let forget = || ok(&server, &["SCRIPT", "FLUSH"]);
    let fence = lead(&leases, &key(1)).await;
    forget();
    assert!(
        leases
            .renew(&key(1), fence, Ttl::from_secs(9))
            .await
            .unwrap()
            .is_held()
    );
    forget();
    assert!(
        leases
            .commit(&put(1, "one"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    forget();
    assert!(leases.invalidate(&key(1)).await.unwrap().is_deleted());
    forget();
    let fence = lead(&leases, &key(1)).await;
    forget();
    assert!(leases.abandon(&key(1), fence).await.unwrap().is_held());
    forget();
    assert!(
        leases
            .follow(&key(1), std::time::Duration::ZERO)
            .await
            .unwrap()
            .is_ended()
    );
    let fence = lead(&leases, &key(1)).await;
    assert!(
        leases
            .commit(&put(1, "one"), fence)
            .await
            .unwrap()
            .is_stored()
    );
    forget();
    let many = leases.invalidate_many(&[key(2), key(1), key(1)]).await;
    let told: Vec<_> = many.into_iter().map(Result::unwrap).collect();
    assert_eq!(told, [false, true, false].map(DeleteOutcome::from));
}
