use std::cmp::Reverse;
use std::future::ready;
use std::time::{Duration, SystemTime};

use crate::doctor::{Finding, Report, Status, memory_shared_by_processes};
use crate::page::model::{Block, Cell, Origin, Panel, Table, Tile, Tone, shown, text};
use crate::page::numbers::of;
use crate::page::patience::PATIENCE;
use crate::page::state::Shared;
use crate::time::span;

/// Older reports are made again.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The time limit of an examination.
const WITHIN: Duration = Duration::from_secs(30);

/// Why there is no report.
struct NoReport {
    short: &'static str,
    text: &'static str,
}

const EXAMINING: NoReport = NoReport {
    short: "examining",
    text: "The doctor is examining the servers, which takes some seconds. If they do not answer, there is no \
           report.",
};

const GIVEN_UP: NoReport = NoReport {
    short: "gave up",
    text: "The doctor could not examine the servers within 30 s. It tries again in some minutes.",
};

/// Returns the newest report and its age, or why there is none.
async fn report(shared: &Shared) -> Result<(Report, Duration), NoReport> {
    let app = memory_shared_by_processes(shared.store.location(), |name| std::env::var(name).ok());
    let latest = match shared.redis.clone() {
        None => {
            let work = ready((Report::new(vec![app]), SystemTime::now()));
            shared.report.latest(MAX_AGE, PATIENCE, WITHIN, work).await
        }
        Some(redis) => {
            let doctor = shared.doctor.clone();
            let work = async move {
                let report = doctor.examine(&redis).await.with(app);
                (report, SystemTime::now())
            };
            // It reads twice, with a pause in between, so the page does not wait for it.
            shared
                .report
                .latest(MAX_AGE, Duration::ZERO, WITHIN, work)
                .await
        }
    };
    match latest.found {
        Some((report, _)) => Ok((report, latest.age)),
        None if latest.is_late => Err(GIVEN_UP),
        None => Err(EXAMINING),
    }
}

/// Returns the tile of the doctor's worst finding.
pub(super) async fn tile(shared: &Shared) -> Tile {
    let tile = match report(shared).await {
        Err(none) => Tile::new("Doctor", none.short).tone(Tone::Unknown),
        Ok((report, age)) => {
            let count = |status| report.count(status) as u64;
            let found = format!(
                "{}, {}, {} ago",
                of(count(Status::Fail), "failure", "failures"),
                of(count(Status::Warn), "warning", "warnings"),
                span(age)
            );
            Tile::new("Doctor", report.worst().as_str())
                .detail(found)
                .tone(tone(report.worst()))
        }
    };
    tile.to("doctor")
}

pub(super) async fn read(shared: &Shared) -> Vec<Panel> {
    let panel = Panel::new("doctor", "Examination", Origin::Store);
    let (report, age) = match report(shared).await {
        Ok(found) => found,
        Err(none) => return vec![panel.alarm(Tone::Unknown, none.text)],
    };
    let tiles = [Status::Fail, Status::Warn, Status::Unknown, Status::Ok].map(|status| {
        let count = report.count(status);
        let label = match status {
            Status::Fail => "Failures",
            Status::Warn => "Warnings",
            Status::Unknown => "Unknown",
            Status::Ok => "In order",
        };
        let is_news = count > 0 || status == Status::Ok;
        Tile::new(label, count.to_string()).tone(if is_news { tone(status) } else { Tone::Plain })
    });
    let mut panel = panel.with(Block::Tiles(tiles.into())).note(format!(
        "Examined {} ago; at most once a minute while somebody looks.",
        span(age)
    ));
    if shared.redis.is_none() && !shared.is_memory() {
        panel = panel.alarm(
            Tone::Unknown,
            "The page was not given the servers of this store: pass them to OpsPage::with_redis.",
        );
    }
    if shared.is_memory() {
        panel = panel.note("There is no server to examine: only the check of the app applies.");
    }
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| (Reverse(finding.status), finding.id));
    let is_fine = |finding: &&&Finding| finding.status == Status::Ok;
    let rows = findings.iter().filter(|finding| !is_fine(finding));
    let rows = rows.map(|finding| row(finding).into()).collect();
    let columns = [
        text("check"),
        text("result"),
        text("seen"),
        text("what to do"),
        text("server"),
    ];
    let empty = "Nothing needs attention.";
    let table = Table::of("Findings, the worst first", columns, rows, empty);
    let attention = Panel::new("findings", "What needs attention", Origin::Store).with(table);
    let rows = findings.iter().filter(is_fine).map(|finding| {
        let [check, _, seen, _, server] = row(finding);
        vec![check, seen, server]
    });
    let columns = [text("check"), text("seen"), text("server")];
    let table = Table::of(
        "Checks that are in order",
        columns,
        rows.collect(),
        "Nothing is.",
    );
    let checks = of(report.count(Status::Ok) as u64, "check", "checks");
    let fine = Panel::new("fine", "What is in order", Origin::Store);
    let fine = fine.with(table).folded(checks);
    vec![panel, attention, fine]
}

fn row(finding: &Finding) -> [Cell; 5] {
    [
        Cell::Two(finding.id.as_str().to_owned(), finding.title.to_owned()),
        Cell::Badge(tone(finding.status), finding.status.as_str().to_owned()),
        Cell::Two(
            shown(&finding.seen),
            format!("expected: {}", finding.threshold),
        ),
        Cell::Name(finding.fix.to_owned()),
        Cell::Text(if finding.server.is_empty() {
            "the app".to_owned()
        } else {
            shown(&finding.server)
        }),
    ]
}

fn tone(status: Status) -> Tone {
    match status {
        Status::Ok => Tone::Good,
        Status::Unknown => Tone::Unknown,
        Status::Warn => Tone::Warn,
        Status::Fail => Tone::Bad,
    }
}
