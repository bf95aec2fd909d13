use std::time::Duration;

use ::redis::IntoConnectionInfo;
use larder_test::MetricValues;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::*;

const TIMEOUT: Duration = Duration::from_millis(100);

/// Makes a node that is dialed by nobody, unless it is supervised.
fn node() -> Arc<Node> {
    let host_port = HostPort {
        host: "127.0.0.1".to_owned(),
        port: 1,
    };
    let template = Address {
        info: "redis://h".into_connection_info().unwrap(),
        tls: None,
    };
    let limits = Limits {
        timeout: TIMEOUT,
        connect_timeout: TIMEOUT * 10,
        in_flight: 1,
        replicas: None,
    };
    Arc::new(Node::at(&host_port, &template, limits, Target::Fixed).in_background())
}

#[tokio::test(start_paused = true)]
async fn a_slow_dial_fails_operations_and_not_those_who_wait_for_the_first_connection() {
    let node = node();
    let (waiting, started) = (node.clone(), Instant::now());
    let waiting = tokio::spawn(async move { waiting.is_up_by(started + TIMEOUT * 10).await });
    yield_now().await;
    node.set_down(true);
    yield_now().await;
    assert!(!waiting.is_finished());
    node.dial_failed();
    assert!(!waiting.await.unwrap());
    assert!(started.elapsed() < TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn only_operations_that_do_not_wait_count_as_failed_at_once() {
    let values = MetricValues::default().without_label("server");
    let _recording = values.record();
    let failures = || values.count("larder_redis_fast_failures_total");
    let node = node();
    let fails = async || {
        let connection = node.next_connection("get", Instant::now() + TIMEOUT).await;
        assert!(connection.is_err());
    };
    fails().await;
    assert_eq!(failures(), 0);
    node.set_down(true);
    fails().await;
    assert_eq!(failures(), 1);
}

#[tokio::test]
async fn a_node_that_is_gone_shows_no_outage_although_its_last_dial_failed_meanwhile() {
    let values = MetricValues::default().without_label("server");
    let _recording = values.record();
    let node = node();
    drop(SupervisedNode::new(node.clone()));
    // As its task may do on another thread, until that is aborted.
    node.dial_failed();
    assert_eq!(values.gauge("larder_redis_breaker_open"), 1.0);
    yield_now().await;
    assert_eq!(values.gauge("larder_redis_breaker_open"), 0.0);
}
