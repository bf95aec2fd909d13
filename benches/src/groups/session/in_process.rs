//! What each session adds to a request of a router, in process.

use std::sync::Arc;

use axum::Router;
use larder_moka::MokaStore;
use tokio::runtime::Runtime;

use super::site::{cookie, ours, plain, request, theirs};
use crate::harness::{Bar, Row, compare};
use crate::load::{drive, runtime};

const OPERATIONS: usize = 20_000;
const VISITORS: usize = 1_000;

pub(super) fn run() -> Vec<Row> {
    let runtime = runtime();
    let (ours, theirs) = (ours(Arc::new(MokaStore::new())), theirs());
    let plain = plain();
    let row = |what: &str, from: &str, path: &'static str, bar: f64, note: &str| {
        let (mine, other) = (
            cookies(&runtime, &ours, from),
            cookies(&runtime, &theirs, from),
        );
        // What it takes, less what the router takes without a session.
        let added = |pages: &Router, cookies: &[String]| {
            let visit = |n: usize| request(path, &cookies[n % VISITORS]);
            let whole = drive(&runtime, pages.clone().into_service(), OPERATIONS, visit);
            whole - drive(&runtime, plain.clone().into_service(), OPERATIONS, visit)
        };
        compare(
            what,
            21,
            ("SessionLayer", Box::new(|| added(&ours, &mine))),
            ("tower-sessions", Box::new(|| added(&theirs, &other))),
            Bar::CostAtMost(bar),
        )
        .with_note(format!(
            "added to a request in process, 1,000 visitors with cookies; {note}"
        ))
    };
    vec![
        row(
            "a session that is not touched",
            "/write",
            "/",
            0.65,
            "no store call",
        ),
        row(
            "a session of which a field is read",
            "/write",
            "/read",
            0.65,
            "nobody is signed in",
        ),
        row(
            "a session of which a field and the user are read",
            "/log-in",
            "/user",
            1.0,
            "ours looks whether the user has revoked it; tower-sessions has no users: one is a field",
        ),
    ]
}

fn cookies(runtime: &Runtime, pages: &Router, from: &str) -> Vec<String> {
    runtime.block_on(async {
        let mut cookies = Vec::new();
        for _ in 0..VISITORS {
            cookies.push(cookie(pages, from).await);
        }
        cookies
    })
}
