use larder_store::Key;
use larder_store::program::Inspection;
use larder_structures::lock::Permits;

use super::is_foreign;
use crate::page::actions::{Action, button};
use crate::page::model::{ACTIONS, Cell, Origin, Panel, Table, Tile, Tone, number, text};
use crate::page::numbers::{count, of};
use crate::page::patience::ask;
use crate::page::state::Shared;
use crate::records::{field, id_of, inspect, lock_holders};
use crate::time::{now, until};

/// The locks that were found.
pub(super) struct Locks {
    found: Vec<(Key, Inspection)>,
    caveat: Option<String>,
}

/// Lists the locks and looks at each, within the deadline of a panel.
pub(super) async fn look(shared: &Shared) -> Result<Locks, String> {
    ask(look_at_each(shared)).await
}

async fn look_at_each(shared: &Shared) -> larder_store::Result<Locks> {
    let listed = shared.locks.keys::<Permits>().await;
    let mut found = Vec::new();
    for (key, shown) in inspect::<Permits>(&*shared.programs, &listed.keys).await {
        match shown {
            // Another client wrote something else there.
            Err(error) if is_foreign(&error) => {}
            shown => found.push((key, shown?)),
        }
    }
    Ok(Locks {
        found,
        caveat: listed.caveat,
    })
}

impl Locks {
    /// Returns the tile of all locks.
    pub(super) fn tile(&self) -> Tile {
        let tile = |value: String| Tile::new("Locks held", value).to("locks");
        if let (true, Some(caveat)) = (self.found.is_empty(), &self.caveat) {
            return tile("unknown".to_owned())
                .detail(caveat)
                .tone(Tone::Unknown);
        }
        let held = self.found.iter();
        let held = held.filter(|(_, shown)| !lock_holders(shown, now()).is_empty());
        let waiting = self
            .found
            .iter()
            .filter_map(|(_, shown)| field(shown, "queue"));
        let waiting: u64 = waiting
            .filter_map(|waiting| waiting.parse::<u64>().ok())
            .sum();
        tile(count(held.count() as f64)).detail(of(
            waiting,
            "task waits in order",
            "tasks wait in order",
        ))
    }
}

pub(super) async fn read(shared: &Shared) -> Vec<Panel> {
    let panel = Panel::new("locks", "Locks and semaphores", Origin::Store);
    let locks = match look(shared).await {
        Err(trouble) => return vec![panel.alarm(Tone::Bad, trouble)],
        Ok(locks) => locks,
    };
    let rows = locks.found.iter().filter_map(|(key, shown)| {
        let holders = lock_holders(shown, now());
        let waiting = field(shown, "queue").unwrap_or("0");
        if holders.is_empty() && waiting == "0" {
            return None;
        }
        let ends = holders.iter().map(|holder| until(holder.ends));
        let ends: Vec<_> = ends.collect();
        let mut end = button(Action::BreakLock, "Break…", key.as_str());
        end.about = id_of(key).to_owned();
        end.is_danger = true;
        let forms = if holders.is_empty() {
            vec![]
        } else {
            vec![end]
        };
        Some(vec![
            Cell::name(id_of(key)),
            Cell::Text(holders.len().to_string()),
            Cell::Text(if ends.is_empty() {
                "–".to_owned()
            } else {
                ends.join(", ")
            }),
            Cell::Text(waiting.to_owned()),
            Cell::Forms(forms),
        ])
    });
    let columns = [
        text("lock"),
        number("holders"),
        text("lease ends"),
        number("waiting in order"),
        ACTIONS,
    ];
    let empty = "Nobody holds a lock.";
    let mut panel = panel.with(Table::of(
        "Locks that are held",
        columns,
        rows.collect(),
        empty,
    ));
    if let Some(caveat) = locks.caveat {
        panel = panel.alarm(Tone::Unknown, caveat);
    }
    vec![panel.note(
        "Who waits in any order is not known to the store. A holder whose lock is broken learns of it when it \
         renews, and may work until then.",
    )]
}
