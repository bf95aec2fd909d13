//! What an app is told of its namespace and its journal.

use std::sync::Arc;

use larder_ops::doctor::{App, Report, Status, namespace_owner};
use larder_store::{Namespace, Prefixed, Store};

use super::{doctor, find};
use crate::support::{healthy, store};

#[tokio::test]
async fn a_namespace_of_two_apps_is_found_and_one_that_may_not_look_does_not_know() {
    let server = healthy();
    let shared = store(&server, "app").await;
    let prefixed = |app| {
        let namespace = Namespace::new("prod", app).unwrap();
        Prefixed::new(namespace, shared.clone() as Arc<dyn Store>)
    };
    let ours = prefixed("app");
    let long = "x".repeat(100);
    for (app, status) in [
        ("matinee", Status::Ok),
        ("matinee", Status::Ok),
        ("\u{1b}[2Jother", Status::Fail),
        (long.as_str(), Status::Fail),
    ] {
        let finding = namespace_owner(&ours, app).await;
        assert_eq!(finding.status, status, "{finding:?}");
        assert_eq!(finding.seen.contains("'matinee'"), status == Status::Fail);
    }
    // The user may use no other namespace.
    let finding = namespace_owner(&prefixed("other"), "matinee").await;
    assert_eq!(finding.status, Status::Unknown, "{finding:?}");
}

#[tokio::test]
async fn a_journal_is_as_durable_as_its_server() {
    let server = healthy();
    let store = store(&server, "doctor").await;
    let status = |report: &Report| {
        let app = App::new().with_journal_on(report).examine();
        find(&app, "A010").status
    };
    assert_eq!(status(&doctor().examine(&store).await), Status::Ok);
    server
        .command(&["CONFIG", "SET", "appendonly", "no"])
        .unwrap();
    assert_eq!(status(&doctor().examine(&store).await), Status::Fail);
    let narrow = crate::support::store(&server, "narrow").await;
    assert_eq!(status(&doctor().examine(&narrow).await), Status::Unknown);
}
