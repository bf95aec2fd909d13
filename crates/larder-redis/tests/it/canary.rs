//! Values, keys, users, passwords and channels never appear in any output, whatever fails: in no line of
//! a log at TRACE, no `Debug`, no error and none of its sources, and no metric.

mod capture;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::bus::{Channel, SubscribeRequest, Topic};
use larder_store::{Error, Store};
use larder_test::proxy::{Direction, FaultProxy};
use larder_test::server::{ClusterOptions, RedisOptions, RedisSentinels, RedisServer, slot_of};

use crate::errors::{
    CASES, Operation, Operations, Scene, Who, while_busy, while_full, while_gone, while_loading,
    while_locked, while_unsaved,
};
use crate::support::{Broken, Leak, Sly, Stops, brisk, key, patient, programs, tally, until};
use capture::Capture;

/// Each part contains the word that is searched, among characters that are sometimes escaped.
const WHO: Who = Who {
    user: "kanarie:@/?#%[]ü",
    password: "kanarie p@ss:/?#%[]\"wörd",
    id: "kanarie \r\n\0\"%{}:*ключ",
    value: "kanarie \r\n\0\"$-1\u{1f3ac}",
};

/// Checks everything that a scene can show.
fn inspect(capture: &Capture, store: &RedisStore, errors: &[Error]) {
    capture.check(&format!("{store:?} {store:#?} {}", store.location()));
    errors.iter().for_each(|error| capture.check_error(error));
}

async fn fail(capture: &Capture, scene: &Scene) {
    let errors = scene.operations.errors().await;
    assert!(!errors.is_empty());
    inspect(capture, &scene.store, &errors);
}

#[tokio::test]
async fn refused_content_is_not_repeated_in_errors() {
    let capture = Capture::open();
    let scene = Scene::of(WHO, &[]).await;
    for case in CASES {
        scene.operations.prepare().await;
        scene.all(case.begin);
        if case.code != "NOSCRIPT" {
            fail(capture, &scene).await;
        }
        subscribe(capture, &scene.store).await;
        scene.all(case.end);
    }
    for name in [key(WHO.id), tally(WHO.id)] {
        scene.does(&["DEL", name.as_str()]);
        scene.does(&["RPUSH", name.as_str(), WHO.value]);
    }
    fail(capture, &scene).await;
    let programs = programs(&scene.store);
    let record = tally(WHO.id);
    for error in [
        programs.run(&record, &Stops::default()).await.unwrap_err(),
        programs.run(&record, &Sly::default()).await.unwrap_err(),
        programs.run(&record, &Broken::default()).await.unwrap_err(),
    ] {
        capture.check_error(&error);
    }
    // In virtual time each key must have a TTL.
    let clock = larder_store::ManualClock::default();
    let url = scene.server.url_as(WHO.user, WHO.password);
    let timed = patient(&url).with_virtual_time(clock).connect().await;
    let timed = Arc::new(timed.unwrap());
    let leaks = crate::support::programs(&timed)
        .run(&tally("kanarie leak"), &Leak::default())
        .await;
    capture.check_error(&leaks.unwrap_err());
    capture.caught_nothing();
}

/// Subscribes to a channel and gets a message, if that is permitted.
async fn subscribe(capture: &Capture, store: &Arc<RedisStore>) {
    let channel = Channel::new(Topic::broadcast("news"), WHO.id);
    let bus = store.clone().bus().unwrap();
    match bus
        .subscribe(SubscribeRequest::to_channel(channel.clone()))
        .await
    {
        Ok(mut subscription) => {
            capture.check(&format!("{subscription:?} {channel:?}"));
            if bus.publish(&channel, WHO.value.into()).await.is_ok() {
                capture.check(&format!("{:?}", subscription.next().await));
            }
        }
        Err(error) => capture.check_error(&error),
    }
}

#[tokio::test]
async fn a_busy_server_and_refused_users_leak_nothing() {
    let capture = Capture::open();
    let failed = async |scene: &Scene| fail(capture, scene).await;
    let locked = async |operations: &Operations| {
        let errors = operations.errors().await;
        assert!(!errors.is_empty());
        errors.iter().for_each(|error| capture.check_error(error));
    };
    while_loading(WHO, failed).await;
    while_busy(WHO, failed).await;
    while_unsaved(WHO, failed).await;
    while_gone(WHO, failed).await;
    while_full(WHO, failed).await;
    while_locked(WHO, WHO.password, "", locked).await;
    while_locked(WHO, "", "?protocol=resp2", locked).await;
    capture.caught_nothing();
}

#[tokio::test]
async fn damaged_content_is_not_shown_in_errors() {
    let capture = Capture::open();
    let account = RedisOptions::new().with_acl_user(WHO.account());
    let mut server = account.start().unwrap();
    let proxy = FaultProxy::start(server.address()).unwrap();
    let store = patient(&through(&server, &proxy)).with_timeout(Duration::from_millis(100));
    let store = Arc::new(store.connect().await.unwrap());
    let calm = patient(&server.url_as(WHO.user, WHO.password));
    let calm = Arc::new(calm.connect().await.unwrap());
    let calm = Operations::on(&calm, WHO);
    let operations = Operations::on(&store, WHO);
    for seed in 0..20 {
        calm.prepare().await;
        match seed % 4 {
            0 => proxy.cut_next_after(Direction::Replies, seed),
            1 => proxy.drop_replies(2),
            2 => drop(proxy.reset()),
            _ => proxy.corrupt_replies(seed, NonZeroU32::new(20)),
        }
        inspect(capture, &store, &operations.errors().await);
        proxy.heal().unwrap();
        until("connected again", || async {
            store.get(&key(WHO.id)).await.is_ok()
        })
        .await;
    }
    assert!(proxy.replies_dropped() >= 5 && proxy.bytes_corrupted() > 0);
    server.kill();
    let errors = operations.errors().await;
    assert!(!errors.is_empty());
    inspect(capture, &store, &errors);
    capture.caught_nothing();
}

/// Returns the URL of the user, through the proxy.
fn through(server: &RedisServer, proxy: &FaultProxy) -> String {
    let url = server.url_as(WHO.user, WHO.password);
    url.replace(&server.address().to_string(), &proxy.address().to_string())
}

async fn refused(capture: &Capture, url: &str) {
    let builder = RedisStore::builder(url).with_connect_timeout(Duration::from_millis(500));
    let error = builder.connect().await.expect_err("no connection");
    capture.check_error(&error);
}

#[tokio::test]
async fn a_url_that_leads_nowhere_is_not_quoted() {
    let capture = Capture::open();
    let server = RedisOptions::new().with_password("sesame").start().unwrap();
    let at = server.address();
    for login in [
        "kanarie%20%3A%40:kanarie%2F%3F%23@",
        ":kanarie@",
        "kanarie@",
        "kanarie/x@",
        ":kanarie#x@",
        ":kanarie?x@",
        ":kanarie:x@",
        ":kanarie%zz@",
        ":kanarie%ff@",
        ":kanarie@kanarie@",
    ] {
        for scheme in [
            "redis",
            "rediss",
            "redis+cluster",
            "redis+sentinel",
            "kanarie",
        ] {
            for rest in ["", "/0", "/kanarie", "?kanarie=1", "?protocol=kanarie"] {
                // The name of a master is not a secret: an error says which name the sentinels do not monitor.
                if (scheme, rest) != ("redis+sentinel", "/kanarie") {
                    refused(capture, &format!("{scheme}://{login}{at}{rest}")).await;
                }
            }
        }
        refused(capture, &format!("redis://{login}127.0.0.1:1")).await;
        refused(
            capture,
            &format!("redis+cluster://{login}127.0.0.1:1,127.0.0.1:2"),
        )
        .await;
        refused(
            capture,
            &format!("redis+sentinel://{login}127.0.0.1:1/main"),
        )
        .await;
    }
    let query = "sentinel_user=kanarie&sentinel_password=kanarie";
    refused(capture, &format!("redis+sentinel://{at}/main?{query}")).await;
    refused(
        capture,
        &format!("unix://{}?pass=kanarie", server.socket().display()),
    )
    .await;
    capture.caught_nothing();
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn nothing_leaks_over_tls() {
    use larder_test::server::{CertificateAuthority, Sandbox, TlsOptions};
    let capture = Capture::open();
    let (ours, theirs) = (
        CertificateAuthority::new().unwrap(),
        CertificateAuthority::new().unwrap(),
    );
    let options = RedisOptions::new().with_acl_user(WHO.account());
    let tls = options.with_tls(TlsOptions::new(&ours));
    let mut server = tls.start().unwrap();
    let files = Sandbox::new().unwrap();
    let file = |name: &str, authority: &CertificateAuthority| {
        let path = files.path().join(name);
        std::fs::write(&path, authority.certificate_pem()).unwrap();
        path.display().to_string()
    };
    let (good, bad) = (file("ours.pem", &ours), file("theirs.pem", &theirs));
    let url = server.url_as(WHO.user, WHO.password);
    refused(capture, &format!("{url}?ca={bad}")).await;
    let wrong = server.url_as(WHO.user, "kanarie wrong");
    refused(capture, &format!("{wrong}?ca={good}")).await;
    let store = patient(&format!("{url}?ca={good}")).connect().await;
    let store = Arc::new(store.unwrap());
    let operations = Operations::on(&store, WHO);
    operations.prepare().await;
    operations.work("by TLS").await;
    server.kill();
    inspect(capture, &store, &operations.errors().await);
    capture.caught_nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaks_on_clusters_and_behind_sentinels() {
    let capture = Capture::open();
    let nodes = RedisOptions::new().with_acl_user(WHO.account());
    let cluster = ClusterOptions::new().with_nodes(nodes).start().unwrap();
    let bare = cluster.url();
    let login = RedisServer::start().unwrap().url_as(WHO.user, WHO.password);
    let login = login.trim_start_matches("redis://");
    let login = &login[..=login.rfind('@').unwrap()];
    let hosts = bare.rsplit('@').next().unwrap();
    let hosts = hosts.trim_start_matches("redis+cluster://");
    refused(capture, &format!("redis+cluster://kanarie:kanarie@{hosts}")).await;
    let store = brisk(&format!("redis+cluster://{login}{hosts}"));
    let store = store.with_replica_reads(Duration::from_millis(100));
    let store = Arc::new(store.connect().await.unwrap());
    let operations = Operations::on(&store, WHO);
    operations.prepare().await;
    operations.work("on a cluster").await;
    let slot = slot_of(key(WHO.id).as_str());
    let owner = cluster.master_of_slot(slot).unwrap();
    owner
        .command(&["CLUSTER", "DELSLOTS", &slot.to_string()])
        .unwrap();
    let reads = operations.run(Operation::Read).await;
    let errors: Vec<_> = reads.into_iter().filter_map(Result::err).collect();
    inspect(capture, &store, &errors);
    owner.kill();
    let errors = operations.errors().await;
    assert!(!errors.is_empty());
    inspect(capture, &store, &errors);

    let trio = RedisSentinels::start().unwrap();
    let url = trio.url();
    let sentinels = url.trim_start_matches("redis+sentinel://");
    refused(capture, &format!("redis+sentinel://{login}{sentinels}")).await;
    let store = patient(&url).with_replica_reads(Duration::from_millis(100));
    let store = Arc::new(store.connect().await.unwrap());
    let operations = Operations::on(&store, WHO);
    operations.prepare().await;
    trio.servers().iter().for_each(|server| server.kill());
    let errors = operations.errors().await;
    assert!(!errors.is_empty());
    inspect(capture, &store, &errors);
    capture.caught_nothing();
}

#[test]
fn the_word_is_found_in_whatever_form_it_is_said() {
    for said in [
        "a kanarie",
        "KANARIE%20",
        &format!("{:?}", b"kanarie"),
        &format!("{:?}", "kanarie".as_bytes().to_vec()),
        "6b616e61726965",
    ] {
        assert!(capture::has_it(said), "{said}");
    }
    assert!(!capture::has_it("canary"));
}

#[test]
fn a_word_in_a_log_or_a_metric_is_heard() {
    let capture = Capture::of_its_own();
    tracing::subscriber::with_default(capture.clone(), || {
        tracing::trace!(target: "any", text = "kanarie", "a field");
        tracing::debug!("kanarie in a message");
        let _span = tracing::info_span!("a span", key = ?"kanarie").entered();
    });
    metrics::with_local_recorder(&capture, || {
        metrics::counter!("any", "server" => "kanarie").increment(1);
        metrics::gauge!("kanarie").set(1.0);
    });
    assert_eq!(capture.caught(), 5);
}
