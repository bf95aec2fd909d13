//! A cluster is ready when it is handed out, fails over and moves slots.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use larder_test::server::{
    ClusterOptions, Connection, RedisCluster, RedisNode, RedisOptions, Reply, slot_of,
};

use super::Outcome;
use super::trace::Trace;

/// For tests that leave no trace in it but keys of their own.
static SHARED: LazyLock<RedisCluster> =
    LazyLock::new(|| RedisCluster::start().expect("a cluster starts"));

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.into())
}

fn text(node: &RedisNode, command: &[&str]) -> String {
    let reply = node.command(command).expect("a node answers");
    reply.text().unwrap_or_default().into_owned()
}

/// A key in the slots of `master`.
fn key_of(cluster: &RedisCluster, master: &RedisNode) -> String {
    (0..)
        .map(|number| format!("seat:{number}"))
        .find(|key| {
            let owner = cluster.master_of(key);
            owner.is_ok_and(|owner| owner.port() == master.port())
        })
        .expect("every master has keys")
}

#[test]
fn a_new_cluster_serves_every_slot_and_loses_no_master_that_is_killed_at_once() -> Outcome {
    let nodes = RedisOptions::new().with_password("s e\"cret");
    let cluster = ClusterOptions::new().with_nodes(nodes).start()?;
    // Nothing here waits: all of it has to hold already.
    let masters = cluster.masters();
    assert_eq!(masters.len(), 3);
    let keys: Vec<_> = masters.iter().map(|it| key_of(&cluster, it)).collect();
    for (master, key) in masters.iter().zip(&keys) {
        let role = text(master, &["INFO", "replication"]);
        assert!(role.contains("connected_slaves:1\r\n"), "{role}");
        assert!(role.contains(",state=online,"), "{role}");
        let mut connection = master.connect()?;
        let set = connection.call(&["SET", key, "taken"])?;
        assert_eq!(set, Reply::Simple("OK".into()));
        assert_eq!(connection.call(&["WAIT", "1", "5000"])?, Reply::Int(1));
    }
    for node in cluster.nodes() {
        let info = text(node, &["CLUSTER", "INFO"]);
        assert!(info.contains("cluster_state:ok\r\n"), "{info}");
        assert!(info.contains("cluster_known_nodes:6\r\n"), "{info}");
        // Every replica is named to clients, who may want to read from it.
        let slots = node.command(&["CLUSTER", "SLOTS"])?;
        let ranges = slots.array().unwrap_or_default();
        let named = ranges.iter().map(|it| it.array().map_or(0, <[_]>::len) - 2);
        assert_eq!(named.sum::<usize>(), 6, "{slots:?}");
    }

    masters[0].kill();
    let new = cluster.wait_for_failover(&keys[0], masters[0])?;
    assert_eq!(new.command(&["GET", &keys[0]])?, bulk("taken"));
    let set = new.command(&["SET", &keys[0], "free"])?;
    assert_eq!(set, Reply::Simple("OK".into()));

    masters[0].restart()?;
    cluster.wait_until_ready()?;
    let replication = text(masters[0], &["INFO", "replication"]);
    assert!(
        replication.contains("master_link_status:up"),
        "{replication}"
    );
    assert_eq!(masters[0].command(&["DBSIZE"])?, Reply::Int(1));
    assert_eq!(cluster.master_of(&keys[0])?.port(), new.port());
    let replicas = cluster.replicas_of(new);
    assert_eq!(replicas.len(), 1);
    assert_eq!(replicas[0].port(), masters[0].port());

    // A replica without its master's data is all that is missing.
    let replica = replicas[0];
    replica.command(&["CONFIG", "SET", "masterauth", "wrong"])?;
    replica.command(&["CLIENT", "KILL", "TYPE", "master"])?;
    thread::scope(|scope| {
        let ready = scope.spawn(|| cluster.wait_until_ready());
        thread::sleep(Duration::from_millis(300));
        assert!(!ready.is_finished(), "it was ready without a replica");
        replica.command(&["CONFIG", "SET", "masterauth", "s e\"cret"])?;
        ready.join().expect("a wait does not panic")
    })?;
    let replication = text(replica, &["INFO", "replication"]);
    assert!(
        replication.contains("master_link_status:up"),
        "{replication}"
    );
    Ok(())
}

#[test]
fn two_clusters_started_at_once_do_not_meet_and_a_frozen_master_is_replaced() -> Outcome {
    let (first, second) = thread::scope(|scope| {
        let second = scope.spawn(RedisCluster::start);
        let first = RedisCluster::start();
        (first, second.join().expect("a start does not panic"))
    });
    let (first, second) = (first?, second?);
    let ports =
        |it: &RedisCluster| -> BTreeSet<_> { it.nodes().iter().map(RedisNode::port).collect() };
    assert!(ports(&first).is_disjoint(&ports(&second)));
    for (cluster, other) in [(&first, &second), (&second, &first)] {
        let known = text(&cluster.nodes()[5], &["CLUSTER", "NODES"]);
        assert_eq!(known.lines().count(), 6, "{known}");
        let stranger = ports(other)
            .into_iter()
            .find(|it| known.contains(&format!(":{it}@")));
        assert_eq!(stranger, None);
    }
    drop(second);

    let old = first.master_of("seat")?;
    old.freeze()?;
    assert!(!old.is_running());
    let new = first.wait_for_failover("seat", old)?;
    assert_ne!(new.port(), old.port());
    old.thaw()?;
    first.wait_until_ready()?;
    assert_eq!(first.master_of("seat")?.port(), new.port());
    assert!(text(old, &["INFO", "replication"]).contains("role:slave"));
    Ok(())
}

#[test]
fn a_slot_between_two_masters_answers_ask_and_tryagain_and_a_moved_one_moved() -> Outcome {
    let slot = slot_of("{row}");
    let from = SHARED.master_of_slot(slot)?;
    let masters = SHARED.masters();
    let to = masters
        .into_iter()
        .find(|it| it.port() != from.port())
        .expect("three masters");
    from.command(&["MSET", "{row}a", "1", "{row}b", "2", "{row}c", "3"])?;

    let moving = SHARED.begin_move(slot, to)?;
    assert_eq!(
        (moving.from().port(), moving.to().port()),
        (from.port(), to.port())
    );
    moving.migrate(&["{row}a", "{row}missing"])?;
    let ask = Reply::Error(format!("ASK {slot} {}", to.address()));
    assert_eq!(from.command(&["GET", "{row}a"])?, ask);
    assert_eq!(from.command(&["GET", "{row}b"])?, bulk("2"));
    let moved = Reply::Error(format!("MOVED {slot} {}", from.address()));
    assert_eq!(to.command(&["GET", "{row}a"])?, moved);
    let mut asking = to.connect()?;
    asking.call(&["ASKING"])?;
    assert_eq!(asking.call(&["GET", "{row}a"])?, bulk("1"));
    asking.call(&["ASKING"])?;
    let torn = asking.call(&["MGET", "{row}a", "{row}b"])?;
    assert!(
        torn.error().is_some_and(|it| it.starts_with("TRYAGAIN")),
        "{torn:?}"
    );

    moving.finish()?;
    assert_eq!(SHARED.master_of_slot(slot)?.port(), to.port());
    let moved = Reply::Error(format!("MOVED {slot} {}", to.address()));
    assert_eq!(from.command(&["GET", "{row}b"])?, moved);
    let values = Reply::Array(["1", "2", "3"].map(bulk).to_vec());
    assert_eq!(to.command(&["MGET", "{row}a", "{row}b", "{row}c"])?, values);
    Ok(())
}

#[test]
fn clients_of_a_cluster_behind_proxies_are_sent_to_proxies_alone() -> Outcome {
    let cluster = ClusterOptions::new().with_proxies().start()?;
    let (owner, proxies) = (cluster.master_of("seat")?, cluster.proxies());
    let proxy = cluster.proxy_of(owner).expect("every node has a proxy");
    for (url, proxy) in cluster.urls().iter().zip(proxies) {
        assert_eq!(*url, proxy.url());
    }
    let seeds: Vec<_> = proxies[..3]
        .iter()
        .map(|it| it.address().to_string())
        .collect();
    assert_eq!(
        cluster.url(),
        format!("redis+cluster://{}", seeds.join(","))
    );
    for other in cluster.masters() {
        if other.port() != owner.port() {
            let moved = format!("MOVED {} {}", slot_of("seat"), proxy.address());
            assert_eq!(other.command(&["GET", "seat"])?, Reply::Error(moved));
        }
    }
    let slots = format!("{:?}", cluster.nodes()[5].command(&["CLUSTER", "SLOTS"])?);
    let endpoint = format!("{:?}", Reply::Bulk(b"127.0.0.2".to_vec()));
    assert_eq!(slots.matches(&endpoint).count(), 6, "{slots}");
    // What replicas are sent is no reply to a client.
    proxy.drop_replies(1);
    let mut client = Connection::open(proxy.address())?;
    assert!(client.call(&["INCR", "seat"]).is_err());
    assert_eq!(owner.command(&["GET", "seat"])?, bulk("1"));

    Ok(())
}

#[test]
fn what_a_cluster_cannot_do_is_an_error_that_says_why() -> Outcome {
    let owner = SHARED.master_of("hall")?;
    let there = SHARED.move_slot(slot_of("hall"), owner).unwrap_err();
    assert!(there.to_string().contains("already"), "{there}");
    for beyond in [
        SHARED.move_slot(16_384, owner),
        SHARED.master_of_slot(16_384).map(drop),
    ] {
        let beyond = beyond.unwrap_err();
        assert!(beyond.to_string().contains("last one is 16383"), "{beyond}");
    }
    let port = ClusterOptions::new().with_nodes(RedisOptions::new().with_port(7_000));
    let port = port.start().unwrap_err();
    assert!(port.to_string().contains("do not set a port"), "{port}");
    let setting = RedisOptions::new().with_setting("no-such-setting", "1");
    let setting = ClusterOptions::new()
        .with_nodes(setting)
        .start()
        .unwrap_err();
    assert!(setting.to_string().contains("no-such-setting"), "{setting}");
    Ok(())
}

#[test]
fn a_client_of_a_cluster_takes_its_urls() -> Outcome {
    let seeds = SHARED.url();
    let seeds = seeds.strip_prefix("redis+cluster://").expect("the scheme");
    let nodes = SHARED.urls();
    for seed in seeds.split(',') {
        assert!(nodes.contains(&format!("redis://{seed}")), "{seed}");
    }
    assert_eq!((seeds.split(',').count(), nodes.len()), (3, 6));
    for url in nodes {
        let mut connection = redis::Client::open(url.as_str())?.get_connection()?;
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut connection)?;
        assert!(info.contains("cluster_state:ok"), "{info}");
    }
    Ok(())
}

#[test]
fn a_cluster_is_gone_when_dropped_even_with_a_frozen_node() -> Outcome {
    let cluster = RedisCluster::start()?;
    let traces: Vec<_> = cluster.nodes().iter().map(Trace::of_node).collect();
    cluster.nodes()[0].freeze()?;
    drop(cluster);
    assert!(traces.iter().all(Trace::is_gone), "{traces:?}");
    Ok(())
}
