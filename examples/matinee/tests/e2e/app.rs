//! The app: its processes, their store and their database.

use std::sync::Barrier;
use std::thread;

use larder_test::server::{RedisServer, Sandbox};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::door::{Door, Opening};
use crate::plan::{Plan, Turn};
use crate::visitor::{Answer, Visitor};

/// One app with a door for each process. All that belongs to it goes when it is dropped.
pub(crate) struct House {
    // Fields are dropped in this order: the processes end before what they use.
    doors: Vec<Door>,
    redis: Option<RedisServer>,
    settings: Vec<(&'static str, String)>,
    sandbox: Sandbox,
    _turn: Turn,
}

impl House {
    pub(crate) fn open(plan: Plan, turn: Turn) -> Self {
        let sandbox = Sandbox::new().unwrap();
        let store = plan
            .redis
            .as_ref()
            .map_or("memory://".to_owned(), RedisServer::url);
        let mut settings = vec![
            ("LISTEN", "127.0.0.1:0".to_owned()),
            ("DATABASE_URL", "sqlite://matinee.db".to_owned()),
            ("STORE_URL", store),
        ];
        settings.extend(plan.settings);
        // All are spawned before the first is waited for.
        let opening: Vec<_> = (0..plan.doors)
            .map(|number| Opening::start(&sandbox, number, &settings))
            .collect();
        let doors = opening.into_iter().map(Opening::wait).collect();
        Self {
            doors,
            redis: plan.redis,
            settings,
            sandbox,
            _turn: turn,
        }
    }

    pub(crate) fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// The doors themselves; the house then has none.
    pub(crate) fn take_doors(&mut self) -> Vec<Door> {
        std::mem::take(&mut self.doors)
    }

    pub(crate) fn first(&self) -> &Door {
        &self.doors[0]
    }

    /// The door after the first; the first itself where there is only one.
    pub(crate) fn last(&self) -> &Door {
        &self.doors[self.doors.len() - 1]
    }

    pub(crate) fn shares_a_store(&self) -> bool {
        self.redis.is_some()
    }

    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("a house on Redis")
    }

    /// What a stranger gets at the first door.
    pub(crate) fn get(&self, path: &str) -> Answer {
        Visitor::new().get(self.first(), path)
    }

    /// Kills the process behind every door with SIGKILL, then opens them again, all at once.
    pub(crate) fn crash_and_reopen(&mut self) {
        let doors = self.doors.len();
        self.doors.clear();
        let opening: Vec<_> = (0..doors)
            .map(|number| Opening::start(&self.sandbox, number, &self.settings))
            .collect();
        self.doors.extend(opening.into_iter().map(Opening::wait));
    }

    /// Kills the process behind every door, then opens them again with another value of a setting.
    pub(crate) fn reopen_with(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_owned()));
        self.crash_and_reopen();
    }

    /// Changes the database behind the back of every process.
    pub(crate) fn execute(&self, sql: &str) {
        let url = format!(
            "sqlite://{}",
            self.sandbox.path().join("matinee.db").display()
        );
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

    /// Sends as many visitors at the same moment, spread over the doors; `ask` is told who it is.
    pub(crate) fn crowd<T: Send>(
        &self,
        visitors: usize,
        ask: impl Fn(&Visitor, &Door, usize) -> T + Sync,
    ) -> Vec<T> {
        let together = Barrier::new(visitors);
        let one = |number: usize| {
            let visitor = Visitor::new();
            let door = &self.doors[number % self.doors.len()];
            // The connection stands before anyone asks.
            visitor.get(door, "/healthz");
            together.wait();
            ask(&visitor, door, number)
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
