//! All structures side by side: the same steps give the same answers and errors on every store.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fastrand::Rng;
use larder_store::program::MAX_INT;
use larder_store::{Key, Kind, Result, Store, Ttl};
use larder_structures::blob::Blobs;
use larder_structures::buckets::{Buckets, Level};
use larder_structures::counter::{Counter, Overflow};
use larder_structures::leaderboard::{Leaderboard, Ties};
use larder_structures::ledger::{Ledger, Transfer};
use larder_structures::member_set::MemberSet;
use larder_structures::membership::Membership;
use larder_structures::recent_list::{ItemId, RecentList};
use larder_structures::record::Record;
use larder_structures::unique_count::UniqueCount;
use larder_structures::update::{Next, Updates};
use serde::{Deserialize, Serialize};

use larder_worlds::World;

/// How many steps there are, unless `LARDER_MODEL_STEPS` says another number.
const STEPS: u64 = 500;
/// Some records end during the steps, but for values: their time cannot be moved on a server.
const HOUR: Ttl = Ttl::from_secs(3_600);
const YEARS: Ttl = Ttl::from_secs(10 * 365 * 86_400);
const NOTE: Kind = Kind::pinned("note");

/// One of each structure, on one store.
struct All {
    world: World,
    counter: Counter,
    buckets: Buckets,
    board: Leaderboard,
    ledger: Ledger,
    unique: UniqueCount,
    recent: RecentList,
    set: MemberSet,
    filter: Membership,
    record: Record<Profile>,
    updates: Updates,
    blobs: Blobs,
}

#[derive(Debug, Serialize, Deserialize)]
struct Profile {
    name: String,
    visits: i64,
}

impl All {
    fn new(world: World) -> Self {
        let store: Arc<dyn Store> = world.store.clone();
        let draws = AtomicU32::new(0);
        let draw = move || draws.fetch_add(0x9e37_79b9, Ordering::Relaxed);
        let levels = [Level::minutes(5), Level::hours(2)];
        let counter = Counter::new(store.clone(), "model", HOUR).unwrap();
        let board = Leaderboard::new(store.clone(), "model", HOUR).unwrap();
        let set = MemberSet::new(store.clone(), "model", HOUR).unwrap();
        Self {
            counter: counter.with_bounds(-5..=9, Overflow::Saturate).unwrap(),
            buckets: Buckets::new(store.clone(), "model", &levels).unwrap(),
            board: board
                .with_ties(Ties::Dense)
                .with_earlier_first()
                .with_max_members(4),
            ledger: Ledger::new(store.clone(), "model", HOUR)
                .unwrap()
                .with_max_accounts(3)
                .with_retention(Ttl::from_secs(60)),
            unique: UniqueCount::new(store.clone(), "model", HOUR).unwrap(),
            recent: RecentList::new(store.clone(), "model", HOUR)
                .unwrap()
                .with_max_items(5),
            set: set.with_random(draw).with_max_members(5),
            filter: Membership::new(store.clone(), "model", 50, 0.05, HOUR).unwrap(),
            record: Record::new(store.clone(), "model", HOUR)
                .unwrap()
                .with_max_fields(3),
            updates: Updates::new(store.clone()),
            blobs: Blobs::new(store, "model", YEARS).unwrap(),
            world,
        }
    }

    /// Draws one step and runs it. The same numbers draw the same step.
    async fn step(&self, rng: &mut Rng) -> String {
        let id = rng.u8(..2);
        match rng.u8(..12) {
            0 => self.count(id, rng).await,
            1 => self.bucket(id, rng).await,
            2 => self.rank(id, rng).await,
            3 => self.book(id, rng).await,
            4 => self.visit(id, rng).await,
            5 => self.list(id, rng).await,
            6 => self.join(id, rng).await,
            7 => self.meet(id, rng).await,
            8 => self.profile(id, rng).await,
            9 => self.note(id, rng).await,
            10 => self.blob(id, rng).await,
            _ => {
                let by = [1, 60, 600, 3_600][rng.usize(..4)];
                self.world.advance(Duration::from_secs(by));
                format!("{by} seconds later")
            }
        }
    }

    async fn count(&self, id: u8, rng: &mut Rng) -> String {
        match rng.u8(..4) {
            0 => shown("get", self.counter.get(id).await),
            1 => shown("take", self.counter.take(id).await),
            _ => {
                let by = [1, -1, 7, MAX_INT, MAX_INT + 1][rng.usize(..5)];
                shown("add", self.counter.add(id, by).await)
            }
        }
    }

    async fn bucket(&self, id: u8, rng: &mut Rng) -> String {
        match rng.u8(..3) {
            0 => shown("count", self.buckets.add(id, rng.u64(..5)).await),
            1 => {
                let span = Duration::from_secs(rng.u64(..9_000));
                shown("sum", self.buckets.sum(id, span).await)
            }
            _ => {
                let step = Duration::from_secs(60);
                shown("series", self.buckets.series(id, step, rng.u32(..7)).await)
            }
        }
    }

    async fn rank(&self, id: u8, rng: &mut Rng) -> String {
        let (who, score) = (name(rng), rng.i64(-2..3));
        match rng.u8(..8) {
            0 | 1 => shown("score", self.board.add(id, who, score).await),
            2 => shown("best", self.board.keep_best(id, who, score).await),
            3 => shown("top", self.board.top(id, 9).await),
            4 => shown("around", self.board.around(id, who, 1).await),
            5 => shown("percentile", self.board.percentile(id, who).await),
            6 => shown("scores", self.board.in_range(id, -1..=1, 2).await),
            _ => shown("remove", self.board.remove(id, &[who]).await),
        }
    }

    async fn book(&self, id: u8, rng: &mut Rng) -> String {
        let (from, to, amount) = (name(rng), name(rng), rng.i64(0..6));
        let request = rng.u8(..12).to_string();
        match rng.u8(..8) {
            0 | 1 => shown("credit", self.ledger.credit(id, &request, to, amount).await),
            2 | 3 => {
                let transfer = Transfer {
                    id: &request,
                    from,
                    to,
                    amount,
                };
                shown("transfer", self.ledger.transfer(id, transfer).await)
            }
            4 => shown("hold", self.ledger.hold(id, &request, from, amount).await),
            5 => {
                let to = rng.bool().then_some(to);
                shown("settle", self.ledger.settle(id, &request, to).await)
            }
            6 => shown("release", self.ledger.release(id, &request).await),
            _ => shown("balances", self.ledger.balances(id, &[from, to]).await),
        }
    }

    async fn visit(&self, id: u8, rng: &mut Rng) -> String {
        let some = (0..rng.u32(..40)).map(|_| rng.u32(..5_000).to_string());
        let some: Vec<_> = some.collect();
        match rng.u8(..5) {
            0 => shown("unique", self.unique.count(id).await),
            1 => shown("union", self.unique.count_union([0_u8, 1]).await),
            2 => shown("merge", self.unique.merge(id, [0_u8, 1]).await),
            _ => shown("visit", self.unique.add(id, some).await),
        }
    }

    async fn list(&self, id: u8, rng: &mut Rng) -> String {
        match rng.u8(..4) {
            0 | 1 => shown("push", self.recent.push(id, name(rng)).await),
            2 => shown("newest", self.recent.newest(id, 3).await),
            _ => shown("after", self.recent.after(id, ItemId::from_u64(7), 9).await),
        }
    }

    async fn join(&self, id: u8, rng: &mut Rng) -> String {
        let members = [name(rng), name(rng)];
        match rng.u8(..8) {
            0..=2 => shown("join", self.set.add(id, &members).await),
            3 => shown("leave", self.set.remove(id, &members[..1]).await),
            4 => shown("random", self.set.random(id, 2).await),
            5 => shown("pop", self.set.pop(id, 1).await),
            6 => shown("both", self.set.intersection([id, 1 - id], 9).await),
            _ => shown("either", self.set.union([0_u8, 1], 3).await),
        }
    }

    async fn meet(&self, id: u8, rng: &mut Rng) -> String {
        let some = [rng.u8(..30).to_string(), rng.u8(..30).to_string()];
        match rng.u8(..3) {
            0 => shown("met", self.filter.contains_many(id, some).await),
            1 => shown("fill", self.filter.fill(id).await),
            _ => shown("meet", self.filter.add_many(id, some).await),
        }
    }

    async fn profile(&self, id: u8, rng: &mut Rng) -> String {
        let profile = Profile {
            name: name(rng).to_owned(),
            visits: rng.i64(0..3),
        };
        match rng.u8(..6) {
            0 => shown("create", self.record.create(id, &profile).await),
            1 => shown("put", self.record.put(id, &profile).await),
            2 => shown("profile", self.record.get(id).await),
            3 | 4 => {
                let field = ["visits", "name", "seats", "rows"][rng.usize(..4)];
                shown("increment", self.record.increment(id, field, 1).await)
            }
            _ => {
                let (expected, new) = (rng.bool().then_some(1), rng.bool().then_some(2));
                let (expected, new) = (expected.as_ref(), new.as_ref());
                let compared = self.record.compare_and_set(id, "seats", expected, new);
                shown("compare", compared.await)
            }
        }
    }

    async fn note(&self, id: u8, rng: &mut Rng) -> String {
        let draw = rng.u8(..5);
        let key = Key::new(NOTE, id);
        let updated = self.updates.update(&key, |note| {
            let length = note.map(|note| note.len());
            let mut next = note.map(|note| note.to_vec()).unwrap_or_default();
            next.push(b'x');
            match draw {
                0 => Next::Remove(length),
                1 => Next::Keep(length),
                _ => Next::put(next, YEARS, length),
            }
        });
        format!("note {:?}", updated.await)
    }

    async fn blob(&self, id: u8, rng: &mut Rng) -> String {
        let data = vec![rng.u8(..); rng.usize(..300_000)];
        match rng.u8(..3) {
            0 => format!("blob {:?}", self.blobs.put(id, &data[..]).await),
            1 => format!("blob {:?}", self.blobs.remove(id).await),
            _ => {
                let mut read = Vec::new();
                match self.blobs.get_range(id, 1_000, 200_000).await.unwrap() {
                    Some(mut reader) => reader.copy_to(&mut read).await.unwrap(),
                    None => 0,
                };
                format!("blob {} {:?}", read.len(), read.first())
            }
        }
    }
}

fn name(rng: &mut Rng) -> &'static str {
    ["ada", "bob", "cy", "dee", "eve", "flo"][rng.usize(..6)]
}

fn shown<T: Debug>(step: &str, result: Result<T>) -> String {
    match result {
        Ok(result) => format!("{step}: {result:?}"),
        Err(error) => format!("{step}: {:?}", error.kind()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_steps_over_all_structures_give_the_same_answers_on_every_store() {
    let memory = All::new(World::memory().await);
    let redis = All::new(World::redis().await);
    let cluster = All::new(World::cluster().await);
    let mut history = Vec::new();
    let steps = std::env::var("LARDER_MODEL_STEPS");
    let steps = steps.map_or(STEPS, |steps| steps.parse().unwrap());
    for seed in 0..steps {
        let rng = || Rng::with_seed(seed);
        let expected = memory.step(&mut rng()).await;
        for (store, all) in [("redis", &redis), ("cluster", &cluster)] {
            let answer = all.step(&mut rng()).await;
            let last = &history[history.len().saturating_sub(20)..];
            assert_eq!(answer, expected, "{store}, step {seed}, after {last:#?}");
        }
        history.push(expected);
    }
    let errors = history
        .iter()
        .filter(|it| it.contains("Full") || it.contains("Invalid"));
    assert!(errors.count() > 10, "the steps meet refusals");
}
