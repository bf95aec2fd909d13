use crate::page::actions::{Action, button};
use crate::page::figures::Snapshot;
use crate::page::model::{
    ACTIONS, Block, Cell, Field, Form, Origin, Panel, Table, Tile, Tone, shown, text,
};
use crate::page::numbers::{count, of};
use crate::page::patience::ask;
use crate::page::state::{Shared, Visit};
use crate::time::until;

use super::without_figures;

/// Returns the tiles of all sessions.
pub(super) fn tiles(figures: &Snapshot) -> Vec<Tile> {
    let figure = |name: &str| figures.figure(name, &[]);
    let signed_in = figure("larder_session_signed_in_total");
    let unavailable = figures.total("larder_session_unavailable_total", &[]);
    let created = figures.total("larder_session_created_total", &[]);
    let ended = figures.total("larder_session_ended_total", &[]);
    let revoked = figures.total("larder_session_revocations_total", &[]);
    let reads = figure("larder_session_reads_total");
    let failed = figures.total("larder_session_reads_total", &[("outcome", "failed")]);
    vec![
        Tile::new("Sign-ins", count(signed_in.total))
            .detail(of(created as u64, "session created", "sessions created"))
            .spark(&signed_in.history, "sign-ins")
            .to("sessions"),
        Tile::new("Reads", count(reads.total))
            .detail(format!("{} failed", count(failed)))
            .spark(&reads.history, "reads of sessions")
            .to("sessions"),
        Tile::new("Ended", count(ended))
            .detail(of(
                revoked as u64,
                "revocation of a user",
                "revocations of users",
            ))
            .to("sessions"),
        Tile::new("Answered 503", count(unavailable))
            .tone(if unavailable > 0.0 {
                Tone::Bad
            } else {
                Tone::Plain
            })
            .to("sessions"),
    ]
}

pub(super) fn read(shared: &Shared, may_act: bool) -> Vec<Panel> {
    let all = Panel::new("sessions", "All sessions", Origin::Process);
    let all = match shared.snapshot() {
        None => without_figures(all),
        Some(figures) => all.with(Block::Tiles(tiles(&figures))),
    };
    let mut panels = vec![all, lookup("")];
    if may_act {
        let mut end = button(Action::RevokeEveryone, "Sign everybody out…", "everybody");
        end.is_danger = true;
        panels.push(
            Panel::new("everybody", "Everybody", Origin::Store)
                .note("This ends every session of every user at once. Visitors who are not signed in stay.")
                .with(Block::Form(end)),
        );
    }
    panels
}

/// Makes the panel in which a user is looked up.
fn lookup(user: &str) -> Panel {
    let form = Form {
        to: "sessions",
        fields: vec![Field {
            name: "user",
            label: "User id",
            hint: "as the app signs users in",
            // What was typed is repeated only if it contains nothing unusual.
            value: if shown(user) == user {
                user.to_owned()
            } else {
                String::new()
            },
        }],
        button: "Show devices",
        ..Form::default()
    };
    Panel::new("lookup", "Devices of a user", Origin::Store)
        .note("The id is sent in the body of the request, so it is in no address and no log.")
        .with(Block::Form(form))
}

/// Reads the devices of a user.
pub(in crate::page) async fn devices(visit: &Visit, user: &str) -> Vec<Panel> {
    let panel = Panel::new("devices", "Devices", Origin::Store);
    let panel = match ask(visit.shared.sessions.devices(user)).await {
        Err(trouble) => panel.alarm(Tone::Bad, trouble),
        Ok(devices) => {
            let title = of(devices.len() as u64, "living session", "living sessions");
            let rows = devices.iter().map(|device| {
                let name = device
                    .name
                    .as_deref()
                    .map_or_else(|| "(no name)".to_owned(), shown);
                let method = device
                    .method
                    .as_deref()
                    .map_or_else(|| "–".to_owned(), shown);
                let mut end = button(Action::RevokeDevice, "End…", user);
                end.hidden.push(("device", device.id.to_string()));
                end.about = format!("the session on {name}");
                vec![
                    Cell::Name(name),
                    Cell::ago(device.signed_in),
                    Cell::Text(method),
                    Cell::ago(device.last_seen),
                    Cell::Text(until(device.expires)),
                    Cell::Forms(vec![end]),
                ]
            });
            let columns = [
                text("device"),
                text("signed in"),
                text("by"),
                text("last seen"),
                text("ends"),
                ACTIONS,
            ];
            let empty = "This user has no living session.";
            let panel = panel
                .note(format!("{title} of {}.", shown(user)))
                .with(Table::of(
                    "Devices of the user",
                    columns,
                    rows.collect(),
                    empty,
                ));
            if devices.is_empty() {
                panel
            } else {
                let mut all = button(Action::RevokeUser, "End all sessions…", user);
                all.is_danger = true;
                panel.with(Block::Form(all))
            }
        }
    };
    vec![lookup(user), panel]
}
