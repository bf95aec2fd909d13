//! Measures a steady load while a server, or the network, fails.

mod failover;
pub mod load;
mod network;
mod one_server;

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::Store;
use load::{Ledger, Load};
use tokio::time::{Instant, sleep};

use crate::Table;

/// The deadline of an operation, by which all bars are set.
pub const DEADLINE: Duration = Duration::from_millis(100);

/// Operations a second.
const RATE: u32 = 500;

/// The time without faults before and after a fault.
const CALM: Duration = Duration::from_secs(2);

/// The end of a fault, as far as the servers are concerned.
pub struct Mended(pub Instant);

/// The results of a fault.
pub struct Report {
    /// The results of the load.
    pub ledger: Ledger,
    /// The start of the fault.
    pub broke: Instant,
    /// The end of the fault.
    pub mended: Instant,
}

/// Breaks something under a steady load.
pub async fn observe(url: &str, calm: Duration, fault: impl AsyncFnOnce() -> Mended) -> Report {
    let store = RedisStore::builder(url).with_timeout(DEADLINE);
    let store: Arc<dyn Store> = Arc::new(store.connect().await.expect("a connection"));
    let load = Load::begin(store, RATE).await;
    sleep(calm).await;
    let broke = Instant::now();
    let Mended(mended) = fault().await;
    sleep(calm).await;
    // A deadline is for callers, and not for whoever counts.
    let patient = RedisStore::builder(url).with_timeout(Duration::from_secs(10));
    let store = Arc::new(patient.connect().await.expect("a connection"));
    Report {
        ledger: load.stop(store).await,
        broke,
        mended,
    }
}

/// Returns all faults.
#[must_use]
pub fn prove() -> Table {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut faults = Faults::new();
    runtime.block_on(async {
        one_server::prove(&mut faults).await;
        network::prove(&mut faults).await;
        failover::prove(&mut faults).await;
    });
    faults.0
}

/// The table, and the bars that hold for every row of it.
struct Faults(Table);

impl Faults {
    fn new() -> Self {
        Self(
            Table::new()
                .column("fault")
                .measured("tried")
                .measured("failed")
                .measured("99.9 % of waits")
                .measured("longest wait")
                .measured("well again after")
                .measured("acknowledged and lost")
                .column("done twice"),
        )
    }

    /// Takes a report down, and holds it to what holds for all.
    fn take(&mut self, fault: &str, well_within: Duration, report: &Report) {
        let ledger = &report.ledger;
        let (usual, longest) = (ledger.wait_but_for(1), ledger.wait_but_for(0));
        let well = ledger.well_after(report.mended);
        self.0.row([
            fault.to_owned(),
            ledger.outcomes.len().to_string(),
            ledger.failed().to_string(),
            millis(usual),
            millis(longest),
            millis(well),
            ledger.lost.to_string(),
            ledger.twice.to_string(),
        ]);
        let mut bar = |holds, what: String| self.0.bar(holds, || format!("{fault}: {what}"));
        let tried = ledger.outcomes.len();
        bar(tried > 1_000, format!("only {tried} operations"));
        bar(
            usual <= DEADLINE + Duration::from_millis(20),
            format!("99.9 % of waits are {usual:?}"),
        );
        bar(longest <= 3 * DEADLINE, format!("a wait of {longest:?}"));
        bar(well <= well_within, format!("well only after {well:?}"));
        bar(ledger.twice == 0, format!("{} done twice", ledger.twice));
        bar(ledger.wrong == 0, format!("{} read wrong", ledger.wrong));
    }

    /// Holds a report to something more.
    fn bar(&mut self, fault: &str, holds: bool, what: &str) {
        self.0.bar(holds, || format!("{fault}: {what}"));
    }
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}
