//! Sentinels know everybody when they are handed out, and follow a failover.

use std::time::Duration;

use larder_test::server::{RedisNode, RedisOptions, RedisSentinels, Reply, SentinelOptions};

use super::Outcome;

fn named_by(sentinel: &RedisNode, name: &str) -> u16 {
    let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name];
    let reply = sentinel.command(&command).expect("a sentinel answers");
    let address = reply.array().expect("a host and a port");
    let port = address[1].text().expect("a port is text");
    port.parse().expect("a port is a number")
}

#[test]
fn a_killed_master_is_replaced_without_loss_and_comes_back_as_a_replica() -> Outcome {
    let all = SentinelOptions::new()
        .with_servers(RedisOptions::new().with_password("s e\"cret"))
        .with_name("films")
        .with_down_after(Duration::from_millis(700))
        .start()?;
    let hosts = all.sentinels().iter().map(|it| it.address().to_string());
    let hosts = hosts.collect::<Vec<_>>().join(",");
    assert_eq!(
        all.url(),
        format!("redis+sentinel://:s%20e%22cret@{hosts}/films")
    );

    // Nothing here waits: all of it has to hold already.
    let old = all.master()?;
    assert_eq!(old.port(), all.servers()[0].port());
    for sentinel in all.sentinels() {
        assert_eq!(named_by(sentinel, "films"), old.port());
        let quorum = sentinel.command(&["SENTINEL", "CKQUORUM", "films"])?;
        let text = quorum.text().unwrap_or_default();
        assert!(text.starts_with("OK 3 usable"), "{text}");
        let replicas = sentinel.command(&["SENTINEL", "SLAVES", "films"])?;
        assert_eq!(replicas.array().map(<[Reply]>::len), Some(2));
    }
    let mut connection = old.connect()?;
    connection.call(&["SET", "seat", "A1"])?;
    assert_eq!(connection.call(&["WAIT", "2", "5000"])?, Reply::Int(2));

    old.kill();
    let writable = all.wait_for_writable(old)?;
    assert_eq!(
        writable.command(&["SET", "row", "B"])?,
        Reply::Simple("OK".into())
    );
    let new = all.wait_for_failover(old)?;
    assert_eq!(new.port(), writable.port());
    assert_eq!(all.master()?.port(), new.port());
    assert_eq!(new.command(&["GET", "seat"])?, Reply::Bulk(b"A1".to_vec()));

    old.restart()?;
    all.wait_until_ready()?;
    assert_eq!(old.command(&["GET", "row"])?, Reply::Bulk(b"B".to_vec()));
    let refused = old.command(&["SET", "row", "C"])?;
    assert!(
        refused.error().is_some_and(|it| it.starts_with("READONLY")),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn a_failover_that_is_ordered_replaces_a_master_that_is_well() -> Outcome {
    let all = RedisSentinels::start()?;
    let old = all.master()?;
    all.failover()?;
    let new = all.wait_for_failover(old)?;
    assert_ne!(new.port(), old.port());
    all.wait_until_ready()?;
    let refused = old.command(&["SET", "row", "C"])?;
    assert!(
        refused.error().is_some_and(|it| it.starts_with("READONLY")),
        "{refused:?}"
    );
    Ok(())
}
