use crate::page::action_log::{MAX_ENTRIES, Outcome};
use crate::page::model::{Cell, Origin, Panel, Table, Tone, number, text};
use crate::page::numbers::count;
use crate::page::patience::ask;
use crate::page::state::Shared;

/// The number of actions that are shown.
const SHOWN: u32 = 100;

pub(super) async fn read(shared: &Shared) -> Vec<Panel> {
    let panel = Panel::new("log", "What operators did", Origin::Store);
    let panel = match ask(shared.log.newest(SHOWN)).await {
        Err(trouble) => panel.alarm(Tone::Bad, trouble),
        Ok(entries) => {
            let rows = entries.iter().map(|entry| {
                vec![
                    Cell::ago(entry.at()),
                    Cell::name(&entry.who),
                    Cell::name(&entry.what),
                    Cell::name(&entry.target),
                    Cell::Text(match entry.outcome {
                        Outcome::Done => count(entry.count as f64),
                        _ => "–".to_owned(),
                    }),
                    match entry.outcome {
                        Outcome::Done => Cell::Text(Outcome::Done.as_str().to_owned()),
                        outcome => Cell::Badge(Tone::Warn, outcome.as_str().to_owned()),
                    },
                ]
            });
            let columns = [
                text("when"),
                text("who"),
                text("what"),
                text("target"),
                number("how many"),
                text("outcome"),
            ];
            let empty = "Nobody has acted yet.";
            panel.with(Table::of(
                "Actions, the newest first",
                columns,
                rows.collect(),
                empty,
            ))
        }
    };
    let note = format!(
        "The newest {SHOWN} of {MAX_ENTRIES} are shown; they are kept for 90 days after the last. A target is \
         the beginning of the SHA-256 of what was named, so that no user and no key is in the log."
    );
    vec![panel.note(note)]
}
