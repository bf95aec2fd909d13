//! The nodes of a cluster, and sentinels with their servers, speak TLS with everybody and with each
//! other.

use std::net::SocketAddr;
use std::time::Duration;

use larder_test::server::{
    CertificateAuthority, ClientAuth, ClusterOptions, Connection, RedisNode, RedisOptions, Reply,
    SentinelOptions, TlsOptions, slot_of,
};

use super::Outcome;
use super::tls::ping;
use super::trace::Trace;

fn refuses_who_speaks_without_tls(address: SocketAddr) -> bool {
    let mut plain = Connection::open(address).expect("somebody listens");
    plain.call(&["PING"]).is_err()
}

fn ok() -> Reply {
    Reply::Simple("OK".into())
}

#[test]
fn a_cluster_by_tls_knows_its_clients_moves_slots_fails_over_and_is_gone_when_dropped() -> Outcome {
    let authority = CertificateAuthority::new()?;
    let tls = TlsOptions::new(&authority).with_client_auth(ClientAuth::Required);
    let nodes = RedisOptions::new().with_tls(tls).with_password("s e\"cret");
    let cluster = ClusterOptions::new().with_nodes(nodes).with_proxies();
    let cluster = cluster.start()?;
    let traces: Vec<_> = cluster.nodes().iter().map(Trace::of_node).collect();

    assert!(
        cluster
            .url()
            .starts_with("rediss+cluster://:s%20e%22cret@127.0.0.2:")
    );
    let app = cluster.url_as("app", "p@ss");
    assert!(
        app.starts_with("rediss+cluster://app:p%40ss@127.0.0.2:"),
        "{app}"
    );
    let app = authority.issue_client("app")?;
    for (node, (proxy, url)) in cluster
        .nodes()
        .iter()
        .zip(cluster.proxies().iter().zip(cluster.urls()))
    {
        assert_eq!(url, format!("rediss://:s%20e%22cret@{}", proxy.address()));
        assert!(node.url().starts_with("rediss://:s%20e%22cret@127.0.0.1:"));
        let refused = ping(proxy.address(), &authority, "127.0.0.2", Some(&app))?;
        assert_eq!(refused, "-NOAUTH", "the handshake went well");
        assert!(ping(node.address(), &authority, "127.0.0.1", None).is_err());
        assert!(refuses_who_speaks_without_tls(node.address()));
        let bus = SocketAddr::from(([127, 0, 0, 1], node.port() + 10_000));
        assert!(refuses_who_speaks_without_tls(bus));
    }

    let old = cluster.master_of("seat")?;
    old.command(&["SET", "seat", "A1"])?;
    let masters = cluster.masters();
    let to = masters.iter().find(|it| it.port() != old.port());
    let to = to.expect("three masters");
    cluster.move_slot(slot_of("seat"), to)?;
    assert_eq!(to.command(&["GET", "seat"])?, Reply::Bulk(b"A1".to_vec()));
    assert_eq!(to.connect()?.call(&["WAIT", "1", "5000"])?, Reply::Int(1));

    to.kill();
    let new = cluster.wait_for_failover("seat", to)?;
    assert_eq!(new.command(&["GET", "seat"])?, Reply::Bulk(b"A1".to_vec()));
    to.restart()?;
    cluster.wait_until_ready()?;
    old.freeze()?;
    drop(cluster);
    assert!(traces.iter().all(Trace::is_gone), "{traces:?}");
    Ok(())
}

#[test]
fn sentinels_by_tls_replace_a_master_whatever_the_names_in_the_certificates() -> Outcome {
    let authority = CertificateAuthority::new()?;
    let tls = TlsOptions::new(&authority)
        .with_client_auth(ClientAuth::Required)
        .with_names(["redis.example"]);
    let all = SentinelOptions::new()
        .with_servers(RedisOptions::new().with_tls(tls).with_password("secret"))
        .with_down_after(Duration::from_millis(700))
        .start()?;
    assert!(
        all.url()
            .starts_with("rediss+sentinel://:secret@127.0.0.1:")
    );
    assert!(all.url().ends_with("/mymaster"));
    let app = all.url_as("app", "open sesame");
    assert!(
        app.starts_with("rediss+sentinel://app:open%20sesame@127.0.0.1:"),
        "{app}"
    );
    let app = authority.issue_client("app")?;
    let answer = |node: &RedisNode| ping(node.address(), &authority, "redis.example", Some(&app));
    for sentinel in all.sentinels() {
        assert_eq!(answer(sentinel)?, "+PONG\r\n");
        assert!(ping(sentinel.address(), &authority, "redis.example", None).is_err());
        assert!(ping(sentinel.address(), &authority, "127.0.0.1", Some(&app)).is_err());
    }
    for node in all.sentinels().iter().chain(all.servers()) {
        assert!(refuses_who_speaks_without_tls(node.address()));
    }

    let old = all.master()?;
    let mut connection = old.connect()?;
    assert_eq!(connection.call(&["SET", "seat", "A1"])?, ok());
    assert_eq!(connection.call(&["WAIT", "2", "5000"])?, Reply::Int(2));
    old.freeze()?;
    let new = all.wait_for_failover(old)?;
    assert_eq!(new.command(&["GET", "seat"])?, Reply::Bulk(b"A1".to_vec()));
    assert_eq!(new.command(&["SET", "row", "B"])?, ok());
    old.thaw()?;
    // What a sentinel wrote down of the others is read by TLS again.
    all.sentinels()[0].restart()?;
    all.wait_until_ready()?;
    assert_eq!(old.command(&["GET", "row"])?, Reply::Bulk(b"B".to_vec()));
    Ok(())
}
