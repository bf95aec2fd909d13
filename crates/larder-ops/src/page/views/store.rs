use std::time::Instant;

use futures_util::future::{join, join_all};
use larder_redis::AdminServer;
use larder_store::{ErrorKind, Refusal};
use tokio::time::timeout;

use crate::fields::Fields;
use crate::page::figures::Snapshot;
use crate::page::model::{Block, Cell, Origin, Panel, Table, Tile, Tone, number, shown, text};
use crate::page::numbers::{count, percent, seconds};
use crate::page::patience::{PATIENCE, ask};
use crate::page::state::Shared;
use crate::text::bytes;
use crate::vitals::Vitals;

use super::without_figures;

const BREAKER: &str = "larder_redis_breaker_open";

/// The slots of a cluster.
const SLOTS: f64 = 16_384.0;

/// Counters of a server that rise when something is wrong.
const TROUBLES: [(&str, &str); 5] = [
    ("larder_redis_timeouts_total", "timeouts"),
    ("larder_redis_fast_failures_total", "failed at once"),
    ("larder_redis_overloaded_total", "overloaded"),
    (
        "larder_redis_connections_replaced_total",
        "connections replaced",
    ),
    ("larder_redis_bus_reconnects_total", "subscriptions lost"),
];

/// Returns the tile that shows whether the store answers.
pub(super) async fn tile(shared: &Shared) -> Tile {
    let started = Instant::now();
    let probed = ask(shared.probe()).await;
    let took = started.elapsed().as_secs_f64();
    match probed {
        Ok(()) => Tile::new("Store", seconds(took))
            .detail("one read of this process")
            .tone(Tone::Good),
        Err(trouble) => Tile::new("Store", "does not answer")
            .detail(trouble)
            .tone(Tone::Bad),
    }
    .to("store")
}

/// Returns whether operations fail at once, as this process sees it. None without figures of a server.
pub(super) fn breaker(figures: &Snapshot) -> Option<Tile> {
    let servers = figures.values(BREAKER, "server").len();
    let open = figures.total(BREAKER, &[]);
    (servers > 0).then(|| {
        let value = if open > 0.0 { "open" } else { "closed" };
        Tile::new("Breaker", value)
            .detail(if open > 0.0 {
                "operations fail at once"
            } else {
                "operations are sent"
            })
            .tone(Tone::bad_if(open > 0.0))
            .spark(&figures.figure(BREAKER, &[]).history, "open breakers")
            .to("store")
    })
}

pub(super) async fn read(shared: &Shared) -> Vec<Panel> {
    let figures = shared.snapshot();
    let (tile, servers) = join(tile(shared), servers(shared)).await;
    let mut tiles = vec![tile];
    tiles.extend(figures.as_ref().and_then(breaker));
    let location = shared.store.location();
    let panel = Panel::new("store", "Store", Origin::Store)
        .with(Block::Tiles(tiles))
        .note(format!("It is at {}.", shown(location)));
    let panel = match shared.is_memory() {
        true => panel.alarm(
            Tone::Unknown,
            "This store is inside this process: other processes have their own, and a restart empties it. \
             Servers, replicas and slots do not apply.",
        ),
        false => panel,
    };
    let mut panels = vec![panel];
    panels.extend(servers);
    panels.push(troubles(figures.as_ref()));
    panels
}

/// Reads what each server reports about itself, all at once.
async fn servers(shared: &Shared) -> Option<Panel> {
    let panel = Panel::new("servers", "Servers", Origin::Store);
    let Some(redis) = &shared.redis else {
        return (!shared.is_memory()).then(|| {
            panel.alarm(
                Tone::Unknown,
                "The page was not given the servers of this store: pass them to OpsPage::with_redis.",
            )
        });
    };
    let admin = redis.admin();
    let servers = admin.servers();
    if servers.is_empty() {
        return Some(panel.alarm(Tone::Bad, "No server is known: none answers."));
    }
    let is_cluster = admin.is_cluster();
    let rows = join_all(servers.iter().map(|server| row(server, is_cluster))).await;
    let columns = [
        text("server"),
        text("state"),
        number("ping"),
        number("commands/s"),
        number("memory"),
        number("connections"),
        number("reads that found"),
        number("evicted"),
        number("replicas"),
        text("slots"),
    ];
    Some(panel.with(Table::of("Servers that take writes", columns, rows, "")))
}

async fn row(server: &AdminServer, is_cluster: bool) -> Vec<Cell> {
    let slots = async {
        match is_cluster {
            true => slots(server).await,
            false => Cell::Text("–".to_owned()),
        }
    };
    let (vitals, slots) = join(timeout(PATIENCE, Vitals::read(server)), slots).await;
    let name = Cell::name(server.location());
    let vitals = match vitals {
        Ok(Ok(vitals)) => vitals,
        failed => {
            let state = match failed {
                // It answers, but the user may not ask it.
                Ok(Err(error)) if error.kind() == ErrorKind::Refused(Refusal::Denied) => {
                    Cell::Badge(Tone::Unknown, "refuses INFO".to_owned())
                }
                _ => Cell::Badge(Tone::Bad, "does not answer".to_owned()),
            };
            let mut row = vec![name, state];
            row.extend((0..7).map(|_| Cell::Text("–".to_owned())));
            row.push(slots);
            return row;
        }
    };
    let memory = bytes(vitals.used_memory as f64);
    let memory = match vitals.memory_share() {
        Some(part) => Cell::Two(memory, format!("{} of the limit", percent(Some(part)))),
        None => Cell::Two(memory, "no limit".to_owned()),
    };
    vec![
        name,
        Cell::Badge(Tone::Good, "answers".to_owned()),
        Cell::Text(seconds(vitals.round_trip.as_secs_f64())),
        Cell::Text(count(vitals.operations_per_second as f64)),
        memory,
        Cell::Text(count(vitals.clients as f64)),
        Cell::Text(percent(vitals.hit_ratio())),
        Cell::Text(count(vitals.evicted_keys as f64)),
        Cell::Text(count(vitals.replicas as f64)),
        slots,
    ]
}

/// Reads what a server of a cluster reports about its slots.
async fn slots(server: &AdminServer) -> Cell {
    let read = async {
        let info = server.run(&[b"CLUSTER", b"INFO"]).await?.bytes()?;
        Ok::<_, larder_store::Error>(Fields::parse(&String::from_utf8_lossy(&info)))
    };
    let Ok(Ok(info)) = timeout(PATIENCE, read).await else {
        return Cell::Badge(Tone::Unknown, "unknown".to_owned());
    };
    let count = |name: &str| info.number(name).unwrap_or(0.0);
    let (assigned, failing) = (count("cluster_slots_assigned"), count("cluster_slots_fail"));
    let is_ok = info.find("cluster_state") == Some("ok");
    // Without full coverage, a cluster that lacks slots still calls itself ok.
    let is_whole = is_ok && failing == 0.0 && assigned == SLOTS;
    let text = match is_whole {
        true => format!("{assigned:.0} assigned"),
        false => format!("{assigned:.0} of {SLOTS:.0} assigned, {failing:.0} failing"),
    };
    Cell::Badge(Tone::bad_if(!is_whole), text)
}

/// Makes the panel of the troubles of this process with its servers.
fn troubles(figures: Option<&Snapshot>) -> Panel {
    let panel = Panel::new("troubles", "As this process sees it", Origin::Process);
    let Some(figures) = figures else {
        return without_figures(panel);
    };
    let names = TROUBLES.map(|(name, _)| name);
    let mut servers = figures.values(BREAKER, "server");
    servers.extend(names.iter().flat_map(|name| figures.values(name, "server")));
    let rows = servers.into_iter().map(|server| {
        let labels = [("server", server)];
        let is_open = figures.total(BREAKER, &labels) > 0.0;
        let state = if is_open { "open" } else { "closed" };
        let mut row = vec![
            Cell::name(server),
            Cell::Badge(Tone::bad_if(is_open), state.to_owned()),
        ];
        row.extend(names.map(|name| Cell::Text(count(figures.total(name, &labels)))));
        row
    });
    let mut columns = vec![text("server"), text("breaker")];
    columns.extend(TROUBLES.map(|(_, title)| number(title)));
    let poisoned = figures.total("larder_poisoned_total", &[]);
    let empty = "Nothing was counted for a server: there is none, or nothing went wrong.";
    let panel = panel.with(Table::of(
        "Servers as this process sees them",
        columns,
        rows.collect(),
        empty,
    ));
    match poisoned > 0.0 {
        true => panel.alarm(
            Tone::Bad,
            format!("{} values could not be read: another client writes to these keys, or two versions of \
                     the app disagree.", count(poisoned)),
        ),
        false => panel,
    }
}
