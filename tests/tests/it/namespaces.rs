//! Two apps on one store: neither sees what the other leases or lists.

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_store::lease::{Claim, Claimed};
use larder_store::{Key, Kind, Namespace, Prefixed, Put, Store, Ttl};

const FILM: Kind = Kind::evictable("film");
const HOUR: Ttl = Ttl::from_secs(3600);

/// Two apps, and the store that they share.
fn two_apps() -> ([Arc<dyn Store>; 2], Arc<dyn Store>) {
    let shared = Arc::new(MokaStore::new());
    let apps = ["matinee", "matinee-admin"].map(|app| {
        let namespace = Namespace::new("prod", app).expect("a namespace");
        Arc::new(Prefixed::new(namespace, shared.clone())) as Arc<dyn Store>
    });
    (apps, shared)
}

#[tokio::test]
async fn a_lease_of_one_app_is_none_of_another() {
    let (apps, shared) = two_apps();
    let claim = Claim::new(Key::new(FILM, 1), HOUR);
    let mut fences = Vec::new();
    for app in &apps {
        let leases = app.clone().leases().expect("leases");
        let claimed = leases.claim(&claim).await.expect("an answer");
        let Claimed::Lead(fence) = claimed else {
            panic!("it does not lead: {claimed:?}");
        };
        fences.push((leases, fence));
    }
    let put = Put::new(claim.key().clone(), "a long night", HOUR);
    let (one, other) = (&fences[0], &fences[1]);
    assert!(
        !one.0
            .commit(&put, other.1)
            .await
            .expect("an answer")
            .is_stored()
    );
    let _ = other.0.invalidate(put.key()).await.expect("an answer");
    assert!(
        one.0
            .commit(&put, one.1)
            .await
            .expect("an answer")
            .is_stored()
    );
    assert_eq!(apps[1].get(put.key()).await.expect("an answer"), None);
    let shared = shared.get(&Key::new(FILM, 1)).await.expect("an answer");
    assert_eq!(shared, None);
}

#[tokio::test]
async fn a_scan_lists_the_keys_of_its_own_app_as_that_app_knows_them() {
    let (apps, shared) = two_apps();
    for (app, ids) in apps.iter().zip([0..30, 20..60_u32]) {
        for id in ids {
            let put = Put::new(Key::new(FILM, id), "a long night", HOUR);
            let _ = app.put(&put).await.expect("an answer");
        }
    }
    for (app, mut expected) in apps.iter().zip([0..30, 20..60_u32].map(keys)) {
        let mut listed = all(app, "film:").await;
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
        assert_eq!(all(app, "").await.len(), expected.len());
        assert!(all(app, "prod:").await.is_empty());
    }
    assert_eq!(all(&shared, "prod:matinee:").await.len(), 30);
    assert_eq!(all(&shared, "").await.len(), 70);
}

fn keys(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(|id| Key::new(FILM, id).as_str().to_owned())
        .collect()
}

async fn all(store: &Arc<dyn Store>, prefix: &str) -> Vec<String> {
    let scan = store.clone().scan().expect("a scan");
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = scan.page(prefix, after.as_ref(), 7).await.expect("a page");
        keys.extend(page.keys);
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}
