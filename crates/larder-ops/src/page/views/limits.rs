use crate::page::actions::Action;
use crate::page::figures::Snapshot;
use crate::page::model::{
    Block, Cell, Field, Form, Origin, Panel, Table, Tile, Tone, number, text,
};
use crate::page::numbers::{count, part, percent};
use crate::page::spark::Spark;
use crate::page::state::Shared;

use super::{caveat, without_figures};

const DECISIONS: &str = "larder_rate_limit_decisions_total";
const REFUSALS: &str = "larder_rate_limit_refusals_total";
const NEAR_LIMIT: &str = "larder_rate_limit_near_limit_total";
const SHADOW: &str = "larder_rate_limit_shadow_total";

/// The decisions of one policy, or of all of them.
struct Decisions {
    requests: f64,
    refused: f64,
    near_limit: f64,
    would_refuse: f64,
    /// Decisions without an answer of the store.
    without_store: f64,
}

impl Decisions {
    fn of(figures: &Snapshot, labels: &[(&str, &str)]) -> Self {
        let with =
            |name: &str, outcome| figures.total(name, &[labels, &[("outcome", outcome)]].concat());
        let refused = ["refused", "local_refused", "failed_closed"];
        let alone = [
            "failed_open",
            "failed_closed",
            "failed",
            "local_allowed",
            "local_refused",
        ];
        Self {
            requests: figures.total(DECISIONS, labels),
            refused: refused.iter().map(|outcome| with(DECISIONS, outcome)).sum(),
            near_limit: figures.total(NEAR_LIMIT, labels),
            would_refuse: with(SHADOW, "refused"),
            without_store: alone.iter().map(|outcome| with(DECISIONS, outcome)).sum(),
        }
    }

    fn part(&self) -> Option<f64> {
        part(self.refused, self.requests)
    }
}

/// Returns the tiles of all policies.
pub(super) fn tiles(figures: &Snapshot) -> Vec<Tile> {
    let all = Decisions::of(figures, &[]);
    let is_high = all.part().is_some_and(|part| part > 0.05);
    vec![
        Tile::new("Refused", count(all.refused))
            .detail(format!(
                "{} of {} requests",
                percent(all.part()),
                count(all.requests)
            ))
            .tone(if is_high { Tone::Warn } else { Tone::Plain })
            .spark(&figures.figure(REFUSALS, &[]).history, "refusals")
            .to("limits"),
        Tile::new("Near the limit", count(all.near_limit))
            .detail("passed with a fifth of the quota left, or less")
            .spark(
                &figures.figure(NEAR_LIMIT, &[]).history,
                "requests near the limit",
            )
            .to("limits"),
        Tile::new("Without the store", count(all.without_store))
            .detail("decided by the fail mode")
            .tone(if all.without_store > 0.0 {
                Tone::Warn
            } else {
                Tone::Plain
            })
            .to("limits"),
    ]
}

pub(super) fn read(shared: &Shared, may_act: bool) -> Vec<Panel> {
    let all = Panel::new("limits", "All policies", Origin::Process);
    let mut panels = match shared.snapshot() {
        None => vec![without_figures(all)],
        Some(figures) => by_policy(all, &figures),
    };
    if may_act {
        panels.push(
            Panel::new("reset", "Reset a limit", Origin::Store)
                .note(
                    "A visitor gets the whole quota back, and a ban ends. Name it by its address, user id or header, \
                     as in 'x-api-key:4711', or as 'larder limit show POLICY' lists it. 'larder limit reset POLICY \
                     --all' resets all visitors of a policy.",
                )
                .with(Block::Form(reset())),
        );
    }
    panels
}

/// Makes the form in which a visitor is named.
fn reset() -> Form {
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        value: String::new(),
    };
    Form {
        to: "actions",
        hidden: vec![("action", Action::ResetLimit.name().to_owned())],
        fields: vec![
            field("policy", "Policy", "sign-in"),
            field("subject", "Visitor", "203.0.113.7"),
        ],
        button: "Reset…",
        about: "a limit".to_owned(),
        is_danger: true,
        ..Form::default()
    }
}

fn by_policy(all: Panel, figures: &Snapshot) -> Vec<Panel> {
    let policies = figures.values(DECISIONS, "policy").into_iter();
    let mut policies: Vec<_> = policies
        .map(|policy| (policy, Decisions::of(figures, &[("policy", policy)])))
        .collect();
    policies.sort_by(|(_, one), (_, other)| other.refused.total_cmp(&one.refused));
    let rows = policies
        .into_iter()
        .map(|(policy, decided)| row(figures, policy, &decided));
    let columns = [
        text("policy"),
        number("requests"),
        number("refused"),
        number("share"),
        text("reasons"),
        number("near the limit"),
        number("shadow refusals"),
        number("without the store"),
        text("refusals"),
    ];
    let empty = "No limit was built since the recorder was installed.";
    let table = Table::of(
        "Policies, the most refusals first",
        columns,
        rows.collect(),
        empty,
    );
    vec![
        caveat(all.with(Block::Tiles(tiles(figures))), figures.is_full),
        Panel::new("policies", "By policy", Origin::Process).with(table),
    ]
}

fn row(figures: &Snapshot, policy: &str, decided: &Decisions) -> Vec<Cell> {
    let labels = [("policy", policy)];
    let reasons = figures.values(REFUSALS, "reason").into_iter();
    let reasons = reasons.filter_map(|reason| {
        let refused = figures.total(REFUSALS, &[("policy", policy), ("reason", reason)]);
        (refused > 0.0).then(|| format!("{reason}: {}", count(refused)))
    });
    let reasons: Vec<_> = reasons.collect();
    let part = decided.part();
    vec![
        Cell::name(policy),
        Cell::Text(count(decided.requests)),
        Cell::Text(count(decided.refused)),
        match part {
            Some(refused) => Cell::Bar(refused, percent(part)),
            None => Cell::Text("–".to_owned()),
        },
        Cell::Text(if reasons.is_empty() {
            "–".to_owned()
        } else {
            reasons.join(", ")
        }),
        Cell::Text(count(decided.near_limit)),
        Cell::Text(count(decided.would_refuse)),
        Cell::Text(count(decided.without_store)),
        Cell::Spark(Spark::of(
            &figures.figure(REFUSALS, &labels).history,
            "refusals",
        )),
    ]
}
