//! What Matinee's metrics and its operators' page cost: requests per second with them, and without.
//!
//! Two processes of the real program, each with a Redis of its own. One keeps metrics and is scraped every second,
//! and an administrator has the page open, whose panels are sent every two seconds. The other one runs with
//! `OPERATIONS=off`. They are asked in turn for the same pages.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use larder_test::server::{RedisServer, Sandbox};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::Client;
use crate::harness::{Bar, Row, compare};
use crate::load::{runtime, tasks};

const CLIENTS: usize = 64;
/// Requests of a client in a round.
const EACH: usize = 100;
const ROUNDS: usize = 31;
const SIGN_IN: &str = "email=admin%40matinee.example&password=lights-camera-admin";
/// The panels of the overview, again and again.
const LIVE: &str = "/admin/operations/live";

/// The path of a request, by its number.
type Path = fn(usize) -> String;

/// What is asked for: as it is, or with a number for each request.
const MIXES: [(&str, Path); 2] = [
    ("pages from the cache", |number| {
        format!("/films/{}", number % 50 + 1)
    }),
    (
        "the JSON of films, which is counted by a limit on Redis",
        |number| format!("/api/films/{}", number % 50 + 1),
    ),
];

pub(crate) fn run() -> Vec<Row> {
    build();
    let runtime = runtime();
    let (with, without) = (Matinee::start("on"), Matinee::start("off"));
    let operators = operate(&runtime, with.address);
    let row = |(what, path): (&str, fn(usize) -> String)| {
        let drive = |server: &Matinee| {
            let address = server.address;
            tasks(&runtime, CLIENTS, EACH, |_| visit(address, path))
        };
        let row = compare(
            format!("Matinee on Redis: {what}, {CLIENTS} clients"),
            ROUNDS,
            (
                "with metrics and the operators' page",
                Box::new(|| drive(&with)),
            ),
            ("without", Box::new(|| drive(&without))),
            Bar::ThroughputAtLeast(0.97),
        );
        row.with_note(
            "the page is open, and metrics are scraped every second; the clients share the cores",
        )
    };
    let rows = MIXES.map(row).into();
    for operator in operators {
        assert!(!operator.is_finished(), "it goes on until the end");
    }
    rows
}

/// Builds the program as its users do.
fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--quiet", "--locked", "-p", "matinee"]);
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.expect("cargo runs").success(), "Matinee is built");
}

/// Scrapes the metrics every second, and has the page open, for as long as the runtime lives.
fn operate(runtime: &Runtime, server: SocketAddr) -> [JoinHandle<()>; 2] {
    let scrapes = runtime.spawn(async move {
        let mut scraper = Client::connect(server).await;
        loop {
            let told = String::from_utf8_lossy(scraper.get("/metrics").await.body).into_owned();
            assert!(told.contains("larder_"), "metrics are kept");
            sleep(Duration::from_secs(1)).await;
        }
    });
    let cookie = runtime.block_on(async {
        let mut admin = Client::connect(server).await;
        let answer = admin.post("/sign-in", SIGN_IN).await;
        let mut lines = answer.head.lines();
        let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        cookie.expect("the administrator is signed in").to_owned()
    });
    let page = runtime.spawn(async move {
        loop {
            let mut page = Client::connect(server).await;
            page.keep_cookie(&cookie);
            // A stream ends after a while, and the browser asks anew.
            page.follow(LIVE).await;
        }
    });
    [scrapes, page]
}

async fn visit(server: SocketAddr, path: fn(usize) -> String) {
    let mut client = Client::connect(server).await;
    for number in 0..EACH {
        let answer = client.get(&path(number)).await;
        assert!(answer.head.starts_with("HTTP/1.1 200 "), "{}", answer.head);
    }
}

/// The program, with a store and a database of its own. All of it ends when this is dropped.
struct Matinee {
    child: Child,
    address: SocketAddr,
    _redis: RedisServer,
    _sandbox: Sandbox,
}

impl Matinee {
    fn start(operations: &str) -> Self {
        let sandbox = Sandbox::new().expect("a directory");
        let redis = RedisServer::start().expect("a Redis");
        let here = std::env::current_exe().expect("a program");
        let mut command = Command::new(here.with_file_name("matinee"));
        command
            .env_clear()
            .envs([
                ("LISTEN", "127.0.0.1:0"),
                ("DATABASE_URL", "sqlite://matinee.db"),
                ("STORE_URL", &redis.url()),
                ("RATE_LIMIT", "100000/second"),
                // The sign-in of the operator stays recent.
                ("REAUTH_AFTER", "1h"),
                ("RUST_LOG", "warn,matinee::serve=info"),
                ("OPERATIONS", operations),
            ])
            .current_dir(sandbox.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = sandbox.adopt(&mut command).spawn().expect("Matinee starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let (_, rest) = line.split_once("address=http://")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        // It must never wait to be read.
        thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address: address.expect("Matinee listens"),
            _redis: redis,
            _sandbox: sandbox,
        }
    }
}

impl Drop for Matinee {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
