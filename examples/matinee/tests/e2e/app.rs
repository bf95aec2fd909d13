//! The app: its processes, their store and their database.

use std::path::PathBuf;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use larder_test::server::{RedisServer, Sandbox};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::plan::{Plan, Turn};
use crate::server::{Opening, Server};
use crate::visitor::{Answer, Visitor};

const DATABASE: &str = "matinee.db";

/// The database of an app that has started once and was not used. Filling it takes most of a start.
fn new_database() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let sandbox = Sandbox::new().unwrap();
        let settings = [
            ("LISTEN", "127.0.0.1:0".to_owned()),
            ("DATABASE_URL", format!("sqlite://{DATABASE}")),
        ];
        let server = Opening::start(&sandbox, 0, &settings).wait();
        server.terminate();
        let end = server.end(Duration::from_secs(20));
        assert!(end.status.success(), "{end:?}");
        std::fs::read(sandbox.path().join(DATABASE)).unwrap()
    })
}

/// The app with one or more servers, a process each. Everything that belongs to it is removed when it is
/// dropped.
pub(crate) struct App {
    // Fields are dropped in this order: the processes end before what they use.
    servers: Vec<Server>,
    redis: Option<RedisServer>,
    settings: Vec<(&'static str, String)>,
    sandbox: Sandbox,
    _turn: Turn,
}

impl App {
    pub(crate) fn open(plan: Plan, turn: Turn) -> Self {
        let sandbox = Sandbox::new().unwrap();
        if !plan.has_new_database {
            std::fs::write(sandbox.path().join(DATABASE), new_database()).unwrap();
        }
        let store = plan
            .redis
            .as_ref()
            .map_or("memory://".to_owned(), RedisServer::url);
        let mut settings = vec![
            ("LISTEN", "127.0.0.1:0".to_owned()),
            ("DATABASE_URL", format!("sqlite://{DATABASE}")),
            ("STORE_URL", store),
        ];
        settings.extend(plan.settings);
        // All are spawned before the first is awaited.
        let opening: Vec<_> = (0..plan.servers)
            .map(|number| Opening::start(&sandbox, number, &settings))
            .collect();
        let servers = opening.into_iter().map(Opening::wait).collect();
        Self {
            servers,
            redis: plan.redis,
            settings,
            sandbox,
            _turn: turn,
        }
    }

    pub(crate) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Takes the servers out of the app, which then has none.
    pub(crate) fn take_servers(&mut self) -> Vec<Server> {
        std::mem::take(&mut self.servers)
    }

    pub(crate) fn first(&self) -> &Server {
        &self.servers[0]
    }

    /// The second server, or the first if it is the only one.
    pub(crate) fn last(&self) -> &Server {
        &self.servers[self.servers.len() - 1]
    }

    pub(crate) fn shares_a_store(&self) -> bool {
        self.redis.is_some()
    }

    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("an app on Redis")
    }

    /// The servers, and the Redis that they share.
    pub(crate) fn parts(&mut self) -> (&[Server], &mut RedisServer) {
        (&self.servers, self.redis.as_mut().expect("an app on Redis"))
    }

    /// The first server's answer to a visitor without a session.
    pub(crate) fn get(&self, path: &str) -> Answer {
        Visitor::new().get(self.first(), path)
    }

    /// Kills every server with SIGKILL, then starts them again, all at once.
    pub(crate) fn crash_and_reopen(&mut self) {
        let servers = self.servers.len();
        self.servers.clear();
        let opening: Vec<_> = (0..servers)
            .map(|number| Opening::start(&self.sandbox, number, &self.settings))
            .collect();
        self.servers.extend(opening.into_iter().map(Opening::wait));
    }

    /// Kills every server, then starts them again with another value of a setting.
    pub(crate) fn reopen_with(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_owned()));
        self.crash_and_reopen();
    }

    /// A path in the directory that the processes run in.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.sandbox.path().join(path)
    }

    /// Changes the database without any process noticing.
    pub(crate) fn execute(&self, sql: &str) {
        let url = format!("sqlite://{}", self.sandbox.path().join(DATABASE).display());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut database = SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut database)
                .await
                .unwrap();
            database.close().await.unwrap();
        });
    }

    /// Does `work` while another process keeps the write lock of the database.
    pub(crate) fn while_locked<T>(&self, work: impl FnOnce() -> T) -> T {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let url = format!("sqlite://{}", self.sandbox.path().join(DATABASE).display());
        let mut database = runtime.block_on(SqliteConnection::connect(&url)).unwrap();
        let lock = database.begin_with("BEGIN IMMEDIATE");
        let lock = runtime.block_on(lock).unwrap();
        let done = work();
        runtime.block_on(lock.rollback()).unwrap();
        done
    }

    /// Lets this many visitors send a request at the same moment, spread over the servers; `ask` gets
    /// their number.
    pub(crate) fn crowd<T: Send>(
        &self,
        visitors: usize,
        ask: impl Fn(&Visitor, &Server, usize) -> T + Sync,
    ) -> Vec<T> {
        let together = Barrier::new(visitors);
        let one = |number: usize| {
            let visitor = Visitor::new();
            let server = &self.servers[number % self.servers.len()];
            // The connection is open before anyone sends a request.
            visitor.get(server, "/healthz");
            together.wait();
            ask(&visitor, server, number)
        };
        thread::scope(|scope| {
            let one = &one;
            let crowd: Vec<_> = (0..visitors)
                .map(|number| scope.spawn(move || one(number)))
                .collect();
            crowd.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }
}
