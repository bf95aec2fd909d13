use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::opinion::{Opinion, newest};
use crate::connection::fault::Fault;
use crate::connection::health::Health;
use crate::connection::place::Place;

/// How long a replica that was selected is believed in: a failover may be given up.
const FAITH: Duration = Duration::from_secs(5);

/// What the sentinels said last, and what follows from it.
pub(super) struct Council {
    pub(super) name: String,
    heard: Mutex<Heard>,
    /// Where the master is, once one sentinel knows.
    elected: watch::Sender<Option<Place>>,
    /// The lines in use, which end when another is elected.
    lines: Mutex<Vec<Weak<Health>>>,
}

struct Heard {
    opinions: Vec<Opinion>,
    selected: Option<Selected>,
}

/// A replica that a sentinel has begun to make the master.
struct Selected {
    place: Place,
    /// The configuration before.
    epoch: u64,
    until: Instant,
}

impl Council {
    pub(super) fn new(name: String, sentinels: usize) -> Self {
        Self {
            name,
            heard: Mutex::new(Heard {
                opinions: vec![Opinion::None; sentinels],
                selected: None,
            }),
            elected: watch::Sender::new(None),
            lines: Mutex::default(),
        }
    }

    /// Takes down what the sentinel at `at` says.
    pub(super) fn hear(&self, at: usize, opinion: Opinion) {
        let mut heard = self.heard.lock();
        heard.opinions[at] = opinion;
        self.elect(&heard);
    }

    /// Takes down that a sentinel makes the replica at `place` the master.
    pub(super) fn select(&self, place: Place) {
        let mut heard = self.heard.lock();
        heard.selected = Some(Selected {
            place,
            epoch: newest(&heard.opinions).map_or(0, |(epoch, _)| epoch),
            until: Instant::now() + FAITH,
        });
        self.elect(&heard);
    }

    /// Where the master is, now and from now on.
    pub(super) fn follow(&self) -> watch::Receiver<Option<Place>> {
        self.elected.subscribe()
    }

    /// Ends the line with this health when another master is elected.
    pub(super) fn serve(&self, line: &Arc<Health>) {
        let mut lines = self.lines.lock();
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(line));
    }

    /// Why there is no master, as far as the sentinels say.
    pub(super) fn nobody(&self) -> Fault {
        let heard = self.heard.lock();
        if heard.opinions.contains(&Opinion::NoSuchMaster) {
            return Fault::NoSuchMaster;
        }
        let failed = heard.opinions.iter().find_map(|opinion| match opinion {
            Opinion::Failed(why) => Some(why.clone()),
            _ => None,
        });
        Fault::NoSentinel(failed.unwrap_or_else(|| "none answered in time".to_owned()))
    }

    fn elect(&self, heard: &Heard) {
        let Some((epoch, newest)) = newest(&heard.opinions) else {
            return;
        };
        let place = match &heard.selected {
            Some(selected) if epoch <= selected.epoch && Instant::now() < selected.until => {
                &selected.place
            }
            _ => newest,
        };
        let changed = self.elected.send_if_modified(|elected| {
            let changed = elected.as_ref() != Some(place);
            if changed {
                *elected = Some(place.clone());
            }
            changed
        });
        if changed {
            let lines = std::mem::take(&mut *self.lines.lock());
            let lines = lines.iter().filter_map(Weak::upgrade);
            lines.for_each(|line| line.dropped());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Place {
        Place {
            host: "h".to_owned(),
            port,
        }
    }

    fn says(port: u16, epoch: u64) -> Opinion {
        Opinion::Master {
            place: at(port),
            epoch,
        }
    }

    fn elected(council: &Council) -> Option<u16> {
        council.follow().borrow().as_ref().map(|place| place.port)
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_was_selected_is_tried_until_the_sentinels_agree_or_give_up() {
        let council = Council::new("main".to_owned(), 2);
        council.hear(0, says(1, 4));
        council.select(at(2));
        assert_eq!(elected(&council), Some(2));
        // What they said before still holds officially.
        council.hear(1, says(1, 4));
        assert_eq!(elected(&council), Some(2));
        council.hear(1, says(3, 5));
        assert_eq!(elected(&council), Some(3));

        council.select(at(2));
        tokio::time::advance(FAITH).await;
        council.hear(0, says(3, 5));
        assert_eq!(elected(&council), Some(3));
    }

    #[test]
    fn a_line_to_another_than_the_elected_ends() {
        let council = Council::new("main".to_owned(), 1);
        let health = Arc::new(Health::new(Arc::default()));
        council.hear(0, says(1, 4));
        council.serve(&health);
        council.hear(0, says(1, 4));
        assert!(health.is_good());
        council.hear(0, says(2, 5));
        assert!(!health.is_good());
    }
}
