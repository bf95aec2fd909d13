use std::time::Duration;

use futures_util::future::join_all;
use larder_queue::{Counts, Queue, QueueRecord};
use larder_store::Key;

use crate::page::actions::{Action, button, queue_of};
use crate::page::figures::Snapshot;
use crate::page::model::{ACTIONS, Block, Cell, Origin, Panel, Table, Tile, Tone, number, text};
use crate::page::numbers::{count, of};
use crate::page::patience::{ask, ask_one};
use crate::page::spark::Spark;
use crate::page::state::Shared;
use crate::records::id_of;
use crate::time::span;

use super::{Read, without_figures};

/// Jobs that have been due for longer than this cause a warning.
const LATE: Duration = Duration::from_secs(60);

/// The queues that were found, with their counts.
pub(super) struct Queues {
    read: Read<Counts>,
    caveat: Option<String>,
    /// Queues whose names are hashed, so that only their app can name them.
    unnamed: usize,
}

/// Lists the queues and counts their jobs, all at once, within the deadline of a panel.
pub(super) async fn count_all(shared: &Shared) -> Result<Queues, String> {
    ask(count_each(shared)).await
}

async fn count_each(shared: &Shared) -> larder_store::Result<Queues> {
    let listed = shared.queues.keys::<QueueRecord>().await;
    let keys = listed.keys.iter();
    let queues = keys.filter_map(|key| Some((key.clone(), queue_of(&shared.store, key)?)));
    let queues: Vec<(Key, Queue)> = queues.collect();
    let unnamed = listed.keys.len() - queues.len();
    let counts = queues
        .into_iter()
        .map(|(key, queue)| async move { (key, ask_one(queue.counts()).await) });
    Ok(Queues {
        read: Read::of(join_all(counts).await)?,
        caveat: listed.caveat,
        unnamed,
    })
}

impl Queues {
    /// Adds the tiles of all queues to a panel, and why they may not be all.
    pub(super) fn show(&self, panel: Panel) -> Panel {
        let panel = match (self.read.found.is_empty(), &self.caveat) {
            // They are unknown, which does not mean that there are none.
            (true, Some(_)) => panel,
            _ => panel.with(Block::Tiles(self.tiles())),
        };
        let panel = self.read.show(panel, "queue", "queues");
        match &self.caveat {
            Some(caveat) => panel.alarm(Tone::Unknown, caveat),
            None => panel,
        }
    }

    fn tiles(&self) -> Vec<Tile> {
        let sum = |count: fn(&Counts) -> u64| -> u64 {
            self.read
                .found
                .iter()
                .map(|(_, counts)| count(counts))
                .sum()
        };
        let oldest = self
            .read
            .found
            .iter()
            .map(|(_, counts)| counts.oldest)
            .max();
        let oldest = oldest.unwrap_or_default();
        let (dead, paused) = (sum(|it| it.dead), sum(|it| u64::from(it.is_paused)));
        vec![
            Tile::new("Jobs waiting", count(sum(|it| it.waiting) as f64))
                .detail(format!(
                    "{} scheduled, {} running",
                    count(sum(|it| it.scheduled) as f64),
                    count(sum(|it| it.running) as f64)
                ))
                .to("queues"),
            Tile::new("Oldest job", late(oldest))
                .detail("since it was due")
                .tone(if oldest > LATE {
                    Tone::Warn
                } else {
                    Tone::Plain
                })
                .to("queues"),
            Tile::new("Dead letters", count(dead as f64))
                .detail("failed for good")
                .tone(if dead > 0 { Tone::Bad } else { Tone::Plain })
                .to("queues"),
            Tile::new("Queues", count(self.read.found.len() as f64))
                .detail(format!("{paused} paused"))
                .tone(if paused > 0 { Tone::Warn } else { Tone::Plain })
                .to("queues"),
        ]
    }
}

pub(super) async fn read(shared: &Shared) -> Vec<Panel> {
    let panel = Panel::new("queues", "All queues", Origin::Store);
    let mut panels = match count_all(shared).await {
        Err(trouble) => vec![panel.alarm(Tone::Bad, trouble)],
        Ok(queues) => {
            let mut all = queues.show(panel);
            if queues.unnamed > 0 {
                let queues = of(queues.unnamed as u64, "queue has", "queues have");
                all = all.note(format!("{queues} a name that is too long to be shown."));
            }
            let rows = queues.read.found.iter();
            let rows = rows.map(|(key, counts)| row(key, counts)).collect();
            let columns = [
                text("queue"),
                number("waiting"),
                number("scheduled"),
                number("running"),
                number("dead"),
                number("done"),
                number("oldest"),
                text("state"),
                ACTIONS,
            ];
            let empty = match &queues.caveat {
                Some(_) => "No queue was found.",
                None => "There is no queue in this store.",
            };
            let table = Table::of("Queues and partitions", columns, rows, empty);
            vec![
                all,
                Panel::new("each-queue", "By queue", Origin::Store).with(table),
            ]
        }
    };
    panels.push(worked(shared.snapshot().as_ref()));
    panels
}

fn row(key: &Key, counts: &Counts) -> Vec<Cell> {
    let oldest = counts.oldest;
    let (state, is_paused) = match counts.is_paused {
        true => (Cell::Badge(Tone::Warn, "paused".to_owned()), true),
        false => (Cell::Badge(Tone::Good, "open".to_owned()), false),
    };
    let mut forms = vec![match is_paused {
        true => button(Action::ResumeQueue, "Resume", key.as_str()),
        false => button(Action::PauseQueue, "Pause", key.as_str()),
    }];
    if counts.dead > 0 {
        forms.push(button(Action::RedriveQueue, "Redrive…", key.as_str()));
    }
    for form in &mut forms {
        form.about = id_of(key).to_owned();
    }
    let number = |number: u64| Cell::Text(count(number as f64));
    vec![
        Cell::name(id_of(key)),
        number(counts.waiting),
        number(counts.scheduled),
        number(counts.running),
        match counts.dead {
            0 => number(0),
            dead => Cell::Badge(Tone::Bad, count(dead as f64)),
        },
        number(counts.done),
        Cell::Text(late(oldest)),
        state,
        Cell::Forms(forms),
    ]
}

/// Writes how long a job has been due; a dash if none is.
fn late(oldest: Duration) -> String {
    match oldest.is_zero() {
        true => "–".to_owned(),
        false => span(oldest),
    }
}

/// Makes the panel of the workers of this process.
fn worked(figures: Option<&Snapshot>) -> Panel {
    let panel = Panel::new("workers", "Workers", Origin::Process);
    let Some(figures) = figures else {
        return without_figures(panel);
    };
    const TAKEN: &str = "larder_queue_taken_total";
    let queues = figures.values(TAKEN, "queue").into_iter();
    let rows = queues.map(|queue| {
        let labels = [("queue", queue)];
        let total = |name: &str| Cell::Text(count(figures.total(name, &labels)));
        vec![
            Cell::name(queue),
            total("larder_queue_enqueued_total"),
            total(TAKEN),
            total("larder_queue_done_total"),
            total("larder_queue_failed_total"),
            total("larder_queue_dead_total"),
            total("larder_queue_lost_leases_total"),
            Cell::Spark(Spark::of(
                &figures.figure(TAKEN, &labels).history,
                "attempts",
            )),
        ]
    });
    let columns = [
        text("queue"),
        number("enqueued"),
        number("attempts"),
        number("done"),
        number("failed"),
        number("dead"),
        number("leases lost"),
        text("attempts"),
    ];
    let empty = "No worker of this process has taken a job.";
    panel.with(Table::of(
        "What workers of this process did",
        columns,
        rows.collect(),
        empty,
    ))
}
