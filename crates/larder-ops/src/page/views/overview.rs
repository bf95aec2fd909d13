use futures_util::future::join4;

use crate::page::figures::Snapshot;
use crate::page::model::{Block, Origin, Panel, Tile, Tone};
use crate::page::state::Shared;

use super::{
    caches, caveat, doctor, limits, locks, queues, responses, sessions, store, without_figures,
};

/// The tiles of a layer in this process.
type Tiles = fn(&Snapshot) -> Vec<Tile>;

/// The layers whose figures are shown, with a metric that each makes when it is built.
const LAYERS: [(&str, &str, &str, Tiles); 4] = [
    ("caches", "Caches", "larder_cache_hits_total", caches::tiles),
    (
        "responses",
        "Response cache",
        "larder_response_cache_total",
        responses::tiles,
    ),
    (
        "limits",
        "Limits",
        "larder_rate_limit_decisions_total",
        limits::tiles,
    ),
    (
        "sessions",
        "Sessions",
        "larder_session_reads_total",
        sessions::tiles,
    ),
];

pub(super) async fn read(shared: &Shared) -> Vec<Panel> {
    let (probe, examined, queues, locks) = join4(
        store::tile(shared),
        doctor::tile(shared),
        queues::count_all(shared),
        locks::look(shared),
    )
    .await;
    let figures = shared.snapshot();

    let mut health = vec![probe];
    health.extend(figures.as_ref().and_then(store::breaker));
    health.push(examined);
    let mut panel = Panel::new("health", "Store", Origin::Store);
    if let Ok(locks) = &locks {
        health.push(locks.tile());
    }
    panel = panel.with(Block::Tiles(health));

    let jobs = Panel::new("jobs", "Queues", Origin::Store);
    let jobs = match queues {
        Ok(queues) => queues.show(jobs),
        Err(trouble) => jobs.alarm(Tone::Bad, trouble),
    };
    let mut panels = vec![panel, jobs];
    let Some(figures) = figures else {
        panels.push(without_figures(Panel::new(
            "figures",
            "Figures",
            Origin::Process,
        )));
        return panels;
    };
    for (id, title, metric, tiles) in LAYERS {
        if figures.has(metric) {
            let panel = Panel::new(id, title, Origin::Process);
            panels.push(caveat(
                panel.with(Block::Tiles(tiles(&figures))),
                figures.is_full,
            ));
        }
    }
    panels
}
