use crate::page::actions::{Action, button};
use crate::page::figures::Snapshot;
use crate::page::model::{
    Block, Cell, Field, Form, Origin, Panel, Table, Tile, Tone, number, text,
};
use crate::page::numbers::{count, of as counted, part, percent};
use crate::page::spark::Spark;
use crate::page::state::Shared;

use super::{caveat, without_figures};

const OUTCOMES: &str = "larder_response_cache_total";

/// The meaning of each outcome, and whether a stored response answered.
const MEANINGS: [(&str, &str, bool); 8] = [
    ("hit", "a fresh stored response", true),
    ("stale", "a stale one, validated in the background", true),
    (
        "stale-if-error",
        "a stale one, because the origin failed",
        true,
    ),
    (
        "validated",
        "a stored one that the origin has validated",
        true,
    ),
    (
        "collapsed",
        "the response that another request fetched",
        true,
    ),
    ("miss", "the origin", false),
    ("bypass", "the origin, without a lookup", false),
    (
        "only-if-cached",
        "504: only a stored response was wanted",
        false,
    ),
];

/// Returns the tiles of the response cache.
pub(super) fn tiles(figures: &Snapshot) -> Vec<Tile> {
    let of = |outcome| figures.total(OUTCOMES, &[("outcome", outcome)]);
    let all = figures.total(OUTCOMES, &[]);
    let stored = MEANINGS.iter().filter(|(_, _, is_stored)| *is_stored);
    let stored: f64 = stored.map(|(outcome, _, _)| of(outcome)).sum();
    // Requests that may not be cached at all say nothing about the cache.
    let looked_up = all - of("bypass");
    let purges = figures.total("larder_response_cache_purges_total", &[]);
    let failures = figures.total("larder_response_cache_store_failures_total", &[]);
    vec![
        Tile::new("Answered by the cache", percent(part(stored, looked_up)))
            .detail(format!("{} of {} lookups", count(stored), count(looked_up)))
            .spark(&figures.figure(OUTCOMES, &[]).history, "responses")
            .to("responses"),
        Tile::new(
            "Stored",
            count(figures.total("larder_response_cache_stored_total", &[])),
        )
        .detail(format!(
            "{} were outdated meanwhile",
            count(figures.total("larder_response_cache_outdated_total", &[]))
        ))
        .to("responses"),
        Tile::new("Store failures", count(failures))
            .detail(counted(purges as u64, "purge", "purges"))
            .tone(if failures > 0.0 {
                Tone::Warn
            } else {
                Tone::Plain
            })
            .to("responses"),
    ]
}

pub(super) fn read(shared: &Shared, may_act: bool) -> Vec<Panel> {
    let all = Panel::new("responses", "All responses", Origin::Process);
    let mut panels = match shared.snapshot() {
        None => vec![without_figures(all)],
        Some(figures) => {
            let whole = figures.total(OUTCOMES, &[]);
            let rows = MEANINGS.iter().map(|(outcome, meaning, _)| {
                let labels = [("outcome", *outcome)];
                let responses = figures.total(OUTCOMES, &labels);
                let share = part(responses, whole);
                let history = figures.figure(OUTCOMES, &labels).history;
                vec![
                    Cell::Two((*outcome).to_owned(), format!("answered by {meaning}")),
                    Cell::Text(count(responses)),
                    Cell::Bar(share.unwrap_or_default(), percent(share)),
                    Cell::Spark(Spark::of(&history, outcome)),
                ]
            });
            let columns = [
                text("outcome"),
                number("responses"),
                number("share"),
                text("last minutes"),
            ];
            let table = Table::of("Responses by outcome", columns, rows.collect(), "");
            vec![
                caveat(all.with(Block::Tiles(tiles(&figures))), figures.is_full),
                Panel::new("outcomes", "By Cache-Status", Origin::Process).with(table),
            ]
        }
    };
    if may_act {
        panels.push(
            Panel::new("purge", "Purge", Origin::Store)
                .note("A purge takes effect in the store at once. Other processes keep their copies for at most \
                       their near TTL.")
                .with(Block::Form(purge(Action::PurgeUri, "URI", "https://example.org/films?page=2")))
                .with(Block::Form(purge(Action::PurgeTag, "Tag", "film-7"))),
        );
    }
    panels
}

fn purge(action: Action, label: &'static str, hint: &'static str) -> Form {
    let mut form = button(action, "Purge…", "");
    form.hidden.retain(|(name, _)| *name != "subject");
    Form {
        fields: vec![Field {
            name: "subject",
            label,
            hint,
            value: String::new(),
        }],
        about: format!("a {label}"),
        is_danger: true,
        ..form
    }
}
