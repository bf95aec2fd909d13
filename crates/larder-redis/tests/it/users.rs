//! A store logs in as the user of its URL, or does not start.

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Refusal, Store};
use larder_test::server::{ClusterOptions, RedisOptions};

use crate::support::{Server, key, ok, patient};

/// Adds a user without a password, and one whose password has every special character.
fn users() -> RedisOptions {
    RedisOptions::new()
        .with_user("alice", "on nopass ~value:* +@all")
        .with_user("bob", "on >a+b==%@:/?&c# ~value:* +@all")
}

/// The password of `bob`, as it is encoded in every form of URL.
const ENCODED: &str = "a+b==%25%40%3A%2F%3F%26c%23";

async fn denied(url: &str) -> String {
    let error = RedisStore::connect(url)
        .await
        .expect_err("nobody is let in");
    let kind = ErrorKind::Refused(Refusal::Denied);
    assert_eq!(error.kind(), kind, "{url}: {error}");
    error.to_string()
}

/// Connects, and checks by the server which user the store logged in as.
async fn is(user: &str, url: &str, server: &impl Server) {
    let store = patient(url).connect().await;
    let store = store.unwrap_or_else(|error| panic!("{url}: {error}"));
    store.get(&key(1)).await.unwrap();
    let clients = ok(server, &["CLIENT", "LIST", "TYPE", "NORMAL"]);
    let clients = clients.text().unwrap().into_owned();
    let mut ours = clients.lines().filter(|line| line.contains("cmd=get"));
    let came = ours.next().unwrap_or_else(|| panic!("{url}: {clients}"));
    assert!(came.contains(&format!(" user={user} ")), "{url}: {came}");
}

#[tokio::test]
async fn the_url_names_the_user_in_every_form_of_one_server() {
    let server = users().start().unwrap();
    let (host, path) = (server.address(), server.socket());
    let path = path.display();
    for query in ["", "?protocol=resp2"] {
        for (user, login) in [
            ("alice", "alice:@".to_owned()),
            ("bob", format!("bob:{ENCODED}@")),
            ("default", String::new()),
            ("default", ":@".to_owned()),
        ] {
            is(user, &format!("redis://{login}{host}/{query}"), &server).await;
        }
    }
    for (user, login) in [
        ("alice", "user=alice&pass=".to_owned()),
        ("bob", format!("user=bob&pass={ENCODED}")),
        ("default", "pass=".to_owned()),
        ("default", String::new()),
    ] {
        is(user, &format!("unix://{path}?{login}"), &server).await;
    }
    for url in [
        format!("redis://nobody:@{host}"),
        format!("redis://bob:@{host}"),
        format!("unix://{path}?user=nobody&pass="),
        format!("unix://{path}?user=bob&pass=a b=="),
    ] {
        let text = denied(&url).await;
        assert!(text.contains("rejects this user"), "{text}");
        let form = match url.starts_with("unix") {
            true => "?user=app&pass=password",
            false => "redis://user:password@host",
        };
        assert!(text.contains(form), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_url_names_the_user_of_a_cluster() {
    let cluster = ClusterOptions::new().with_nodes(users()).start().unwrap();
    let hosts = cluster.nodes()[0].address();
    let node = cluster.master_of(key(1).as_str()).unwrap();
    is("alice", &format!("redis+cluster://alice:@{hosts}"), &node).await;
    let bob = format!("redis+cluster://bob:{ENCODED}@{hosts}");
    is("bob", &bob, &node).await;
    let text = denied(&format!("redis+cluster://nobody:@{hosts}")).await;
    assert!(
        text.contains("as in redis+cluster://user:password@host"),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_password_error_shows_its_place_in_the_url() {
    let options = || RedisOptions::new().with_password("sesame");
    let node = options().with_setting("cluster-enabled", "yes");
    let node = node.start().unwrap();
    let text = denied(&format!("redis+cluster://{}", node.address())).await;
    assert!(text.contains("asks for a user and password"), "{text}");
    assert!(text.contains("redis+cluster://:password@host"), "{text}");

    let server = options().start().unwrap();
    let text = denied(&format!("unix://{}", server.socket().display())).await;
    assert!(
        text.contains("?pass=password for the default user"),
        "{text}"
    );

    // The store does not log in at the sentinels with the user of the master.
    let url = format!("redis+sentinel://:sesame@{}/main", server.address());
    let text = denied(&url).await;
    assert!(text.contains("asks for a user and password"), "{text}");
    assert!(text.contains("?sentinel_pass="), "{text}");
    for login in [
        "sentinel_pass=hunter2",
        "sentinel_user=nobody&sentinel_pass=",
    ] {
        let text = denied(&format!("{url}?{login}")).await;
        assert!(text.contains("sentinel_user and sentinel_pass"), "{text}");
        assert!(
            !text.contains("hunter2") && !text.contains("sesame"),
            "{text}"
        );
    }
}
