//! Clusters, masters behind sentinels, and servers with TLS.

use std::time::Duration;

use larder_ops::doctor::Status;
use larder_test::server::{
    CertificateAuthority, ClientAuth, RedisCluster, RedisOptions, RedisSentinels, TlsOptions,
};

use super::{assert_status, examine, find};
use crate::support::connect;

#[tokio::test]
async fn a_cluster_is_examined_node_by_node() {
    let cluster = RedisCluster::start().unwrap();
    for node in cluster.masters() {
        node.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"])
            .unwrap();
    }
    let store = connect(&cluster.url()).await;
    let report = examine(&store).await;
    for id in ["L029", "L030", "L026", "L027"] {
        let findings = report.findings.iter().filter(|it| it.id.as_str() == id);
        let findings: Vec<_> = findings.collect();
        assert_eq!(findings.len(), 3, "{id}");
        for finding in findings {
            assert_eq!(finding.status, Status::Ok, "{finding:?}");
        }
    }
    let broken = cluster.masters()[0];
    broken
        .command(&["CONFIG", "SET", "cluster-require-full-coverage", "yes"])
        .unwrap();
    let report = examine(&store).await;
    let wrong = report.findings.iter().filter(|it| it.id.as_str() == "L030");
    assert_eq!(wrong.filter(|it| it.status == Status::Warn).count(), 1);
    let owner = cluster.master_of("a").unwrap();
    let slot = larder_test::server::slot_of("a").to_string();
    owner.command(&["CLUSTER", "DELSLOTS", &slot]).unwrap();
    let report = examine(&store).await;
    let mut states = report.findings.iter().filter(|it| it.id.as_str() == "L029");
    let failed = states.find(|it| it.status == Status::Fail);
    assert!(failed.is_some_and(|it| it.seen.contains("16383 slots")));
}

#[tokio::test]
async fn sentinels_that_wait_too_long_are_found() {
    let servers = RedisSentinels::start().unwrap();
    let store = connect(&servers.url()).await;
    let report = examine(&store).await;
    assert_status(&report, "L031", Status::Ok);
    assert_eq!(find(&report, "L027").status, Status::Ok);
    let name = servers.master_name();
    servers.sentinels()[1]
        .command(&["SENTINEL", "SET", name, "down-after-milliseconds", "30000"])
        .unwrap();
    let report = examine(&store).await;
    assert_status(&report, "L031", Status::Warn);
    servers.sentinels()[1].kill();
    servers.sentinels()[2].kill();
    let report = examine(&store).await;
    let finding = find(&report, "L031");
    assert_ne!(finding.status, Status::Ok, "{finding:?}");
}

#[tokio::test]
async fn one_sentinel_that_is_down_is_named() {
    let servers = RedisSentinels::start().unwrap();
    let store = connect(&servers.url()).await;
    servers.sentinels()[1].kill();
    let report = examine(&store).await;
    let finding = find(&report, "L031");
    assert_eq!(finding.status, Status::Warn, "{finding:?}");
    let address = servers.sentinels()[1].address().to_string();
    assert!(
        finding.seen.ends_with(&format!("from {address}")),
        "{finding:?}"
    );
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_found_also_where_clients_must_show_one() {
    let authority = CertificateAuthority::new().unwrap();
    for (days, clients, status) in [
        (5, ClientAuth::Off, Status::Fail),
        (20, ClientAuth::Required, Status::Warn),
        (365, ClientAuth::Off, Status::Ok),
    ] {
        let lifetime = Duration::from_secs(days * 86_400 + 3_600);
        let tls = TlsOptions::new(&authority).with_lifetime(lifetime);
        let tls = tls.with_client_auth(clients);
        let server = RedisOptions::new().with_tls(tls).start().unwrap();
        let file = |name: &str| server.dir().join(name).display().to_string();
        let (ca, cert, key) = (file("ca.pem"), file("app.pem"), file("app.key"));
        let app = authority.issue_client("app").unwrap();
        std::fs::write(&cert, app.certificate_pem()).unwrap();
        std::fs::write(&key, app.key_pem()).unwrap();
        let url = format!("{}?ca={ca}&cert={cert}&key={key}", server.url());
        let store = connect(&url).await;
        let report = examine(&store).await;
        let finding = find(&report, "L035");
        assert_eq!(finding.status, status, "{finding:?}");
        assert_eq!(finding.seen, format!("it is valid for {days} days"));
    }
}
