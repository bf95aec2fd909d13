//! What an operation costs of a core of the app, of a server and of the network.

use std::sync::Arc;
use std::time::Instant;

use larder_moka::MokaStore;
use larder_store::Store;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use super::Extent;
use super::operations::{Operation, TASKS, operations};
use super::table::{Out, figure};
use crate::groups::queue_large::{figure as info_figure, info, server_seconds};
use crate::load::{raw_connection, runtime, store, tasks};

/// How long a round of one operation takes, in seconds.
const PACE: f64 = 1.5;
const HEADS: [&str; 5] = [
    "operation",
    "app, µs",
    "server, µs",
    "to it, B",
    "from it, B",
];

pub(crate) fn in_process(_: &str, extent: Extent, out: &mut Out) {
    let runtime = runtime();
    let store = MokaStore::builder()
        .with_max_keys_per_kind(10_000_000)
        .build();
    let bench = Bench {
        runtime,
        raw: None,
        extent,
    };
    bench.measure(Arc::new(store), "capacity-memory", out);
}

pub(crate) fn on_redis(url: &str, extent: Extent, out: &mut Out) {
    let runtime = runtime();
    let (store, raw) = runtime.block_on(async { (store(url).await, raw_connection(url).await) });
    let bench = Bench {
        runtime,
        raw: Some(raw),
        extent,
    };
    bench.measure(store, "capacity-redis", out);
}

struct Bench {
    runtime: Runtime,
    /// `None` in process.
    raw: Option<MultiplexedConnection>,
    extent: Extent,
}

/// What has been used so far: seconds of this process and of the server, bytes to and from the server.
type Used = [f64; 4];

impl Bench {
    fn measure(&self, store: Arc<dyn Store>, table: &str, out: &mut Out) {
        let heads = &HEADS[..if self.raw.is_some() { 5 } else { 2 }];
        out.row(
            table,
            &heads
                .iter()
                .map(|&head| head.to_owned())
                .collect::<Vec<_>>(),
        );
        for (name, of_each, operation) in operations(&self.runtime, &store) {
            let [app, server, sent, received] = self.costs(&operation, of_each);
            let mut cells = vec![name.to_owned(), figure(app * 1e6)];
            if self.raw.is_some() {
                cells.extend([
                    figure(server * 1e6),
                    figure(sent.round()),
                    figure(received.round()),
                ]);
            }
            out.row(table, &cells);
        }
    }

    /// Returns what one operation uses: of each figure the median of the whole rounds.
    fn costs(&self, operation: &Operation, of_each: usize) -> Used {
        let (pace, rounds) = match self.extent {
            Extent::Whole => (PACE, 5),
            Extent::Quick => (0.1, 1),
        };
        let mut each = 2_000 / TASKS / of_each + 1;
        let mut found = Vec::with_capacity(rounds);
        while found.len() < rounds {
            let (before, started) = (self.used(), Instant::now());
            tasks(&self.runtime, TASKS, each, |task| operation(task, each));
            let (took, after) = (started.elapsed().as_secs_f64(), self.used());
            // The system counts hundredths of a second: a short round only tells how many make a long one.
            if took >= pace / 2.0 {
                let done = (TASKS * each * of_each) as f64;
                let [app, server, sent, received] =
                    [0, 1, 2, 3].map(|at| (after[at] - before[at]) / done);
                // Less than that is what reading these numbers costs the server itself.
                let server = if server < 10e-9 { 0.0 } else { server };
                found.push([app, server, sent, received]);
            }
            each = ((each as f64 * (pace / took).min(20.0)) as usize).max(1);
        }
        [0, 1, 2, 3].map(|at| {
            let mut figures: Vec<f64> = found.iter().map(|used| used[at]).collect();
            figures.sort_by(f64::total_cmp);
            figures[rounds / 2]
        })
    }

    fn used(&self) -> Used {
        let app = process_seconds();
        let Some(raw) = &self.raw else {
            return [app, 0.0, 0.0, 0.0];
        };
        self.runtime.block_on(async {
            let stats = info(raw, "stats").await;
            let bytes = |name| info_figure(&stats, name);
            let (sent, received) = (
                bytes("total_net_input_bytes:"),
                bytes("total_net_output_bytes:"),
            );
            [app, server_seconds(raw).await, sent, received]
        })
    }
}

/// The seconds that all threads of this process have run.
fn process_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux system");
    // The name of the program, which may have spaces, ends with a parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
