//! What the response cache costs over real sockets: misses and hits on connections that are kept
//! alive, beside the same app without the layer.
//!
//! Neither server sets `TCP_NODELAY`: whoever sends a head and its body in two writes pays for it
//! with the client's delayed acknowledgement, some 40 ms.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::header::CACHE_CONTROL;
use axum::routing::get;
use larder_moka::MokaStore;
use larder_response_cache::ResponseCacheLayer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::harness::{Bar, Row, compare};
use crate::load::runtime;

const PAGE: usize = 1024;
const CLIENTS: [usize; 2] = [1, 64];
/// Requests of all clients in a round.
const REQUESTS: usize = 6_400;
const ROUNDS: usize = 11;

/// Which address a client asks for next.
#[derive(Clone, Copy)]
enum Addresses {
    /// One that nobody has asked for.
    New,
    /// One that is stored.
    Same,
}

pub(crate) fn run() -> Vec<Row> {
    let runtime = runtime();
    let app = || {
        let page = "x".repeat(PAGE);
        let page = move || std::future::ready(([(CACHE_CONTROL, "max-age=3600")], page.clone()));
        Router::new().route("/{page}", get(page))
    };
    let layer = ResponseCacheLayer::new(Arc::new(MokaStore::new()));
    let cached = serve(&runtime, app().layer(layer));
    let plain = serve(&runtime, app());
    let mut rows = Vec::new();
    for clients in CLIENTS {
        for (what, addresses) in [("a miss", Addresses::New), ("a hit", Addresses::Same)] {
            let round = |server| p50(&runtime, server, clients, addresses);
            let row = compare(
                format!("{what} over a socket, 1 KiB, clients: {clients}, p50"),
                ROUNDS,
                ("with the response cache", Box::new(|| round(cached))),
                ("the same app without it", Box::new(|| round(plain))),
                match addresses {
                    Addresses::New if clients == 1 => Bar::AddsAtMost(60_000.0),
                    _ => Bar::None,
                },
            );
            rows.push(
                row.with_note(
                    "axum, keep-alive, without `TCP_NODELAY`; the clients share the cores",
                ),
            );
        }
    }
    rows
}

/// Serves `app` for as long as the runtime lives.
fn serve(runtime: &Runtime, app: Router) -> SocketAddr {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    })
}

/// How long the median request of a round took, in nanoseconds.
fn p50(runtime: &Runtime, server: SocketAddr, clients: usize, addresses: Addresses) -> f64 {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let each = REQUESTS / CLIENTS[1];
    let client = move || async move {
        let mut client = Client::connect(server).await;
        client.get("/0").await;
        let mut took = Vec::with_capacity(each);
        for _ in 0..each {
            let page = match addresses {
                Addresses::New => NEXT.fetch_add(1, Ordering::Relaxed),
                Addresses::Same => 0,
            };
            let answer = client.get(&format!("/{page}")).await;
            assert_eq!(
                answer.body.len(),
                PAGE,
                "a page that is ready keeps its length"
            );
            took.push(answer.took);
        }
        took
    };
    let mut took = runtime.block_on(async {
        let clients: Vec<_> = (0..clients).map(|_| tokio::spawn(client())).collect();
        let mut took = Vec::new();
        for client in clients {
            took.extend(client.await.expect("no client panics"));
        }
        took
    });
    took.sort_unstable();
    took[took.len() / 2].as_nanos() as f64
}
