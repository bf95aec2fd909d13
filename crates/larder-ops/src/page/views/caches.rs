use crate::page::figures::Snapshot;
use crate::page::model::{Block, Cell, Origin, Panel, Table, Tile, Tone, number, text};
use crate::page::numbers::{count, part, percent, seconds};
use crate::page::spark::Spark;
use crate::page::state::Shared;

use super::{caveat, without_figures};

const HITS: &str = "larder_cache_hits_total";
const MISSES: &str = "larder_cache_misses_total";
const LOADS: &str = "larder_cache_loads_total";
const COALESCED: &str = "larder_cache_coalesced_total";
const STALE: &str = "larder_cache_stale_total";
const LOAD_SECONDS: &str = "larder_cache_load_seconds";
const PENDING: &str = "larder_cache_invalidations_pending";

/// The activity of one kind, or of all kinds, of caches.
pub(super) struct Reads {
    near: f64,
    far: f64,
    misses: f64,
    loads: f64,
    failed: f64,
    coalesced: f64,
    stale: f64,
    /// The mean duration of a load, in seconds.
    load: Option<f64>,
}

impl Reads {
    pub(super) fn of(figures: &Snapshot, labels: &[(&str, &str)]) -> Self {
        let with = |name: &str, label| figures.total(name, &[labels, &[label]].concat());
        let load = figures.figure(LOAD_SECONDS, labels);
        let all = figures.total(LOADS, labels);
        let loads = with(LOADS, ("outcome", "ok")) + with(LOADS, ("outcome", "not_found"));
        Self {
            near: with(HITS, ("tier", "near")),
            far: with(HITS, ("tier", "far")),
            misses: figures.total(MISSES, labels),
            loads,
            failed: all - loads,
            coalesced: figures.total(COALESCED, labels),
            stale: figures.total(STALE, labels),
            load: part(load.sum, load.total),
        }
    }

    pub(super) fn ratio(&self) -> Option<f64> {
        let hits = self.near + self.far;
        part(hits, hits + self.misses)
    }

    /// Returns the loads that callers did not have to wait for: hits, and loads of another caller.
    pub(super) fn saved(&self) -> f64 {
        self.near + self.far + self.coalesced
    }
}

/// Returns the tiles of all caches.
pub(super) fn tiles(figures: &Snapshot) -> Vec<Tile> {
    let all = Reads::of(figures, &[]);
    let failing = part(all.failed, all.failed + all.loads);
    let saved = match all.load {
        Some(load) => format!("about {} of loading", seconds(load * all.saved())),
        None => "no load was measured yet".to_owned(),
    };
    vec![
        Tile::new("Hit ratio", percent(all.ratio()))
            .detail(format!(
                "{} near, {} far, {} misses",
                count(all.near),
                count(all.far),
                count(all.misses)
            ))
            .spark(&figures.figure(HITS, &[]).history, "hits")
            .to("caches"),
        Tile::new("Loads saved", count(all.saved()))
            .detail(saved)
            .to("caches"),
        Tile::new("Loads", count(all.loads))
            .detail(format!(
                "{} failed, {}",
                count(all.failed),
                percent(failing)
            ))
            .tone(if failing.is_some_and(|part| part > 0.05) {
                Tone::Bad
            } else {
                Tone::Plain
            })
            .spark(&figures.figure(LOADS, &[]).history, "loads")
            .to("caches"),
        Tile::new("Served stale", count(all.stale))
            .detail("after they were no longer fresh")
            .spark(&figures.figure(STALE, &[]).history, "stale values")
            .to("caches"),
    ]
}

pub(super) fn read(shared: &Shared) -> Vec<Panel> {
    let all = Panel::new("caches", "All caches", Origin::Process);
    let Some(figures) = shared.snapshot() else {
        return vec![without_figures(all)];
    };
    let mut all = all.with(Block::Tiles(tiles(&figures)));
    let pending = figures.total(PENDING, &[]);
    if pending > 0.0 {
        let text = format!(
            "The far store has not confirmed {} invalidations.",
            count(pending)
        );
        all = all.alarm(Tone::Bad, text);
    }
    let kinds = figures.values(HITS, "kind").into_iter();
    let rows = kinds.map(|kind| row(&figures, kind)).collect();
    let columns = [
        text("kind"),
        number("hit ratio"),
        number("near"),
        number("far"),
        number("misses"),
        number("loads"),
        number("failed"),
        number("loads saved"),
        number("stale"),
        number("mean load"),
        text("hits"),
    ];
    let empty = "No cache was built since the recorder was installed.";
    let table = Table::of("Caches by kind", columns, rows, empty);
    let kinds = Panel::new("kinds", "By kind", Origin::Process).with(table);
    vec![caveat(all, figures.is_full), kinds]
}

fn row(figures: &Snapshot, kind: &str) -> Vec<Cell> {
    let labels = [("kind", kind)];
    let reads = Reads::of(figures, &labels);
    let ratio = reads.ratio();
    vec![
        Cell::name(kind),
        match ratio {
            Some(part) => Cell::Bar(part, percent(ratio)),
            None => Cell::Text("–".to_owned()),
        },
        Cell::Text(count(reads.near)),
        Cell::Text(count(reads.far)),
        Cell::Text(count(reads.misses)),
        Cell::Text(count(reads.loads)),
        Cell::Text(count(reads.failed)),
        Cell::Text(count(reads.saved())),
        Cell::Text(count(reads.stale)),
        Cell::Text(reads.load.map_or_else(|| "–".to_owned(), seconds)),
        Cell::Spark(Spark::of(&figures.figure(HITS, &labels).history, "hits")),
    ]
}
