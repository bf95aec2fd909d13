//! Throughput and latency as tasks and values grow.

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_store::Store;
use tokio::runtime::Runtime;

use super::Extent;
use super::contenders::{Contender, Values, Work, moka, pool, round};
use super::table::{Out, figure, rate};
use crate::harness::median;
use crate::load::{raw_connection, runtime, store};

const TASKS: [usize; 6] = [1, 4, 16, 64, 256, 1024];
const SIZES: [(usize, &str); 8] = [
    (64, "64 B"),
    (256, "256 B"),
    (1 << 10, "1 KiB"),
    (4 << 10, "4 KiB"),
    (16 << 10, "16 KiB"),
    (64 << 10, "64 KiB"),
    (256 << 10, "256 KiB"),
    (1 << 20, "1 MiB"),
];
/// The size of a value while tasks grow.
const SIZE: usize = 1 << 10;
/// How many tasks there are while values grow.
const MANY: usize = 16;
/// Of bb8 the pool counts that does most in a second.
const POOLS: [u32; 3] = [4, 16, 64];

/// A round of a contender: with which values, what is done, by how many tasks, and how many operations each of
/// them times.
type Setting<'a> = Box<dyn Fn(&Values, (Work, usize), (usize, usize)) -> [f64; 3] + 'a>;

/// Where it is measured, and how many operations there are for each that is timed.
#[derive(Clone, Copy)]
enum Place {
    Memory,
    Redis,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }

    /// In process an operation takes no longer than to read the clock, so that few are timed.
    fn sampled(self) -> usize {
        match self {
            Self::Memory => 8,
            Self::Redis => 1,
        }
    }

    /// The nanoseconds that a round takes.
    fn pace(self) -> f64 {
        match self {
            Self::Memory => 1e8,
            Self::Redis => 3e8,
        }
    }
}

pub(crate) fn tasks(url: &str, extent: Extent, out: &mut Out) {
    let bench = Bench::new(url, extent);
    let values = Values::new(SIZE);
    for place in [Place::Memory, Place::Redis] {
        let contenders = bench.contenders(place, &values);
        let table = format!("tasks-{}", place.name());
        heads(out, &table, "tasks", "GETs/s");
        for tasks in TASKS {
            bench.measure(
                place,
                &contenders,
                &values,
                (Work::Get, tasks),
                |name, figures| {
                    out.row(&table, &cells(tasks.to_string(), name, figures));
                },
            );
        }
    }
}

pub(crate) fn values(url: &str, extent: Extent, out: &mut Out) {
    let bench = Bench::new(url, extent);
    for (work, name, unit) in [
        (Work::Get, "values", "GETs/s"),
        (Work::Put, "puts", "SETs/s"),
    ] {
        for place in [Place::Memory, Place::Redis] {
            let table = format!("{name}-{}", place.name());
            heads(out, &table, "value", unit);
            for (size, shown) in SIZES {
                let values = Values::new(size);
                let contenders = bench.contenders(place, &values);
                bench.measure(
                    place,
                    &contenders,
                    &values,
                    (work, MANY),
                    |name, figures| {
                        out.row(&table, &cells(shown.to_owned(), name, figures));
                    },
                );
            }
        }
    }
}

fn heads(out: &mut Out, table: &str, growing: &str, unit: &str) {
    out.row(
        table,
        &[growing, "of", unit, "p50, µs", "p99, µs"].map(str::to_owned),
    );
}

fn cells(growing: String, name: &str, [each, p50, p99]: [f64; 3]) -> [String; 5] {
    let micros = |nanos: f64| figure(nanos / 1e3);
    [
        growing,
        name.to_owned(),
        rate(1e9 / each),
        micros(p50),
        micros(p99),
    ]
}

struct Bench {
    runtime: Runtime,
    url: String,
    rounds: usize,
}

/// The pools among which the best is chosen are one contender.
struct Named<'a> {
    name: &'static str,
    settings: Vec<Setting<'a>>,
}

impl Bench {
    fn new(url: &str, extent: Extent) -> Self {
        Self {
            runtime: runtime(),
            url: url.to_owned(),
            rounds: match extent {
                Extent::Whole => 5,
                Extent::Quick => 1,
            },
        }
    }

    /// The contenders at a place, with all values put.
    fn contenders<'a>(&'a self, place: Place, values: &Values) -> Vec<Named<'a>> {
        match place {
            Place::Memory => {
                let store = MokaStore::builder().with_max_cache_bytes(1 << 30).build();
                let store: Arc<dyn Store> = Arc::new(store);
                vec![
                    self.named("MokaStore", [store], values),
                    self.named("moka", [moka()], values),
                ]
            }
            Place::Redis => {
                let url = self.url.as_str();
                let (store, raw, pools) = self.runtime.block_on(async {
                    let mut pools = Vec::new();
                    for connections in POOLS {
                        pools.push(pool(url, connections).await);
                    }
                    (store(url).await, raw_connection(url).await, pools)
                });
                vec![
                    self.named("RedisStore", [store], values),
                    self.named("redis-rs, multiplexed", [raw], values),
                    self.named("bb8-redis", pools, values),
                ]
            }
        }
    }

    fn named<'a, C: Contender>(
        &'a self,
        name: &'static str,
        settings: impl IntoIterator<Item = C>,
        values: &Values,
    ) -> Named<'a> {
        let runtime = &self.runtime;
        let settings = settings.into_iter().map(|contender| {
            let all = (1, values.many());
            let put = (Work::Put, 1);
            round(runtime, &contender, values, put, all);
            Box::new(move |values: &Values, work, load| {
                round(runtime, &contender, values, work, load)
            }) as Setting<'a>
        });
        Named {
            name,
            settings: settings.collect(),
        }
    }

    /// Runs the contenders in turn, and hands on the medians of each.
    fn measure(
        &self,
        place: Place,
        contenders: &[Named<'_>],
        values: &Values,
        (work, tasks): (Work, usize),
        mut measured: impl FnMut(&str, [f64; 3]),
    ) {
        let work = (work, place.sampled());
        // How many a task times so that a round takes as long as it may.
        let timed = |each: f64| {
            let timed = place.pace() / (each * (tasks * place.sampled()) as f64);
            (timed as usize).clamp(4, 20_000)
        };
        let rounds: Vec<_> = contenders
            .iter()
            .map(|contender| {
                let tried = contender.settings.iter().map(|setting| {
                    let [each, ..] = setting(values, work, (tasks, 4));
                    // Warm by now, and long enough to be believed.
                    let [each, ..] = setting(values, work, (tasks, timed(each * 3.0)));
                    (each, setting)
                });
                let best = tried.min_by(|(one, _), (other, _)| one.total_cmp(other));
                let (each, setting) = best.expect("a setting");
                let timed = timed(each);
                move || setting(values, work, (tasks, timed))
            })
            .collect();
        let mut figures = vec![[const { Vec::new() }; 3]; rounds.len()];
        for first in 0..self.rounds {
            for at in 0..rounds.len() {
                let at = (first + at) % rounds.len();
                for (figures, figure) in figures[at].iter_mut().zip(rounds[at]()) {
                    figures.push(figure);
                }
            }
        }
        for (contender, figures) in contenders.iter().zip(figures) {
            measured(contender.name, figures.map(median));
        }
    }
}
