use larder_store::program::Inspection;
use larder_structures::lock::Permits;

use super::Read;
use crate::page::actions::{Action, button};
use crate::page::model::{ACTIONS, Cell, Origin, Panel, Table, Tile, Tone, number, text};
use crate::page::numbers::{count, of};
use crate::page::patience::ask;
use crate::page::state::Shared;
use crate::records::{field, inspect, lock_holders, lock_name};
use crate::time::{now, until};

/// The locks that were found.
pub(super) struct Locks {
    read: Read<Inspection>,
    caveat: Option<String>,
}

/// Lists the locks and looks at each, within the deadline of a panel.
pub(super) async fn look(shared: &Shared) -> Result<Locks, String> {
    ask(look_at_each(shared)).await
}

async fn look_at_each(shared: &Shared) -> larder_store::Result<Locks> {
    let listed = shared.locks.keys::<Permits>().await;
    Ok(Locks {
        read: Read::of(inspect::<Permits>(&*shared.programs, &listed.keys).await)?,
        caveat: listed.caveat,
    })
}

impl Locks {
    /// Returns the tile of all locks.
    pub(super) fn tile(&self) -> Tile {
        let tile = |value: String| Tile::new("Locks held", value).to("locks");
        if let (true, Some(caveat)) = (self.read.found.is_empty(), &self.caveat) {
            return tile("unknown".to_owned())
                .detail(caveat)
                .tone(Tone::Unknown);
        }
        let held = self.read.found.iter();
        let held = held.filter(|(_, shown)| !lock_holders(shown, now()).is_empty());
        let waiting = self
            .read
            .found
            .iter()
            .filter_map(|(_, shown)| field(shown, "queue"));
        let waiting: u64 = waiting
            .filter_map(|waiting| waiting.parse::<u64>().ok())
            .sum();
        let waiting = of(waiting, "task waits in order", "tasks wait in order");
        let tile = tile(count(held.count() as f64));
        match (&self.read.unanswered, &self.caveat) {
            (Some((failed, _)), _) => {
                let failed = of(*failed as u64, "lock", "locks");
                tile.detail(format!("{failed} did not answer"))
                    .tone(Tone::Bad)
            }
            (None, Some(caveat)) => tile.detail(format!("{waiting}. {caveat}")),
            (None, None) => tile.detail(waiting),
        }
    }
}

pub(super) async fn read(shared: &Shared) -> Vec<Panel> {
    let panel = Panel::new("locks", "Locks and semaphores", Origin::Store);
    let locks = match look(shared).await {
        Err(trouble) => return vec![panel.alarm(Tone::Bad, trouble)],
        Ok(locks) => locks,
    };
    let rows = locks.read.found.iter().filter_map(|(key, shown)| {
        let holders = lock_holders(shown, now());
        let waiting = field(shown, "queue").unwrap_or("0");
        if holders.is_empty() && waiting == "0" {
            return None;
        }
        let ends = holders.iter().map(|holder| until(holder.ends));
        let ends: Vec<_> = ends.collect();
        let mut end = button(Action::BreakLock, "Break…", key.as_str());
        end.about = lock_name(key).to_owned();
        end.is_danger = true;
        let forms = if holders.is_empty() {
            vec![]
        } else {
            vec![end]
        };
        Some(vec![
            Cell::name(lock_name(key)),
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
    let empty = match &locks.caveat {
        Some(_) => "No held lock was found.",
        None => "Nobody holds a lock.",
    };
    let mut panel = locks.read.show(panel, "lock", "locks").with(Table::of(
        "Locks that are held",
        columns,
        rows.collect(),
        empty,
    ));
    if let Some(caveat) = locks.caveat {
        panel = panel.alarm(Tone::Unknown, caveat);
    }
    vec![panel.note(
        "The store only knows waiters that wait in order. A holder whose lock is broken notices when it renews, \
         and may go on working until then.",
    )]
}
