//! The store connects to the nodes of a cluster by the names that they announce.

use larder_redis::RedisStore;
use larder_store::{ErrorKind, Store};
use larder_test::server::{ClusterOptions, RedisCluster, RedisNode};

use super::{Papers, error, nodes, store};
use crate::cluster::one_on_each;
use crate::support::{calls, put, until};

/// Announces another name for a node, and waits until all nodes know it.
async fn announce(cluster: &RedisCluster, node: &RedisNode, name: &str) {
    let command = ["CONFIG", "SET", "cluster-announce-hostname", name];
    node.command(&command).unwrap();
    let id = node.command(&["CLUSTER", "MYID"]).unwrap();
    let id = id.text().unwrap().into_owned();
    until("called by its name", || async {
        cluster.nodes().iter().all(|other| {
            let all = other.command(&["CLUSTER", "NODES"]).unwrap();
            let all = all.text().unwrap().into_owned();
            let line = all.lines().find(|line| line.starts_with(&id)).unwrap();
            line.split(' ')
                .nth(1)
                .unwrap()
                .ends_with(&format!(",{name}"))
        })
    })
    .await;
}

/// Returns a URL with the first three nodes, by a name that is in their certificates.
fn seeds(cluster: &RedisCluster) -> String {
    let seeds = cluster.nodes()[..3].iter();
    let seeds: Vec<_> = seeds
        .map(|node| format!("localhost:{}", node.port()))
        .collect();
    format!("rediss+cluster://:sesame@{}", seeds.join(","))
}

#[tokio::test]
async fn a_node_whose_announced_name_is_not_in_its_certificate_is_sent_nothing() {
    let papers = Papers::new();
    let nodes = nodes(papers.tls().with_names(["localhost"]))
        .with_password("sesame")
        .with_setting("cluster-preferred-endpoint-type", "hostname")
        .with_setting("cluster-announce-hostname", "localhost");
    let cluster = ClusterOptions::new().with_nodes(nodes).start().unwrap();
    let (url, ids) = (seeds(&cluster), one_on_each(&cluster));
    let all = store(&url, &papers.ca).await;
    for id in &ids {
        assert!(all.put(&put(*id, "x")).await.unwrap().is_stored());
    }
    drop(all);

    // It listens at this address, but the address is not in its certificate.
    let masters = cluster.masters();
    announce(&cluster, masters[0], "127.0.0.1").await;
    let before = ["hello", "set", "get"].map(|command| calls(masters[0], command));
    let url_of_others = url.replace(&format!("localhost:{},", masters[0].port()), "");
    let others = store(&url_of_others, &papers.ca).await;
    for id in &ids[1..] {
        assert!(others.put(&put(*id, "y")).await.unwrap().is_stored());
    }
    let refused = others.put(&put(ids[0], "y")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotSent, "{refused}");
    let after = ["hello", "set", "get"].map(|command| calls(masters[0], command));
    assert_eq!(before, after, "a stranger was told something");

    announce(&cluster, masters[0], "localhost").await;
    until("dialed by its own name", || async {
        others.put(&put(ids[0], "z")).await.is_ok()
    })
    .await;
    drop(others);

    for master in &masters {
        announce(&cluster, master, "127.0.0.1").await;
    }
    let text = error(&url, &papers.ca).await;
    assert!(
        text.contains("no master can be reached at its announced address"),
        "{text}"
    );
    assert!(text.contains("for another host than 127.0.0.1"), "{text}");
    assert!(text.contains("cluster-announce-hostname"), "{text}");
}

#[tokio::test]
async fn seeds_of_which_none_has_the_right_name_are_refused() {
    let papers = Papers::new();
    let nodes = nodes(papers.tls().with_names(["redis.example"]));
    let alone = nodes
        .with_setting("cluster-enabled", "yes")
        .start()
        .unwrap();
    let url = alone.url().replacen("rediss:", "rediss+cluster:", 1);
    let text = error(&url, &papers.ca).await;
    assert!(text.contains("for another host than 127.0.0.1"), "{text}");
    assert!(
        RedisStore::connect(&url).await.is_err(),
        "the system trusts it"
    );
}
