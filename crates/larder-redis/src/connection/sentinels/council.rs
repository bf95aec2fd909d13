use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::opinion::Opinion;
use crate::connection::fault::Fault;
use crate::connection::health::Health;
use crate::connection::place::Place;

/// How long a replica that was selected is believed in: a failover may be given up.
const FAITH: Duration = Duration::from_secs(5);

/// For how long all sentinels have to name an older configuration before it counts: one that missed
/// a failover hears of it from the others within two seconds, and those that were all set up anew
/// count from the beginning.
const ALL_AGREE: Duration = Duration::from_secs(10);

/// What the sentinels said, and what follows from it.
pub(super) struct Council {
    pub(super) name: String,
    heard: Mutex<Heard>,
    /// Where the master is, once one sentinel knows.
    elected: watch::Sender<Option<Place>>,
    /// The lines in use, which end when another is elected.
    lines: Mutex<Vec<Weak<Health>>>,
}

struct Heard {
    /// What each sentinel said last.
    opinions: Vec<Opinion>,
    newest: Option<Configuration>,
    /// Since when all sentinels name the same older configuration.
    older_since: Option<Instant>,
    selected: Option<Selected>,
}

/// The newest configuration that any sentinel ever named. That a sentinel fails, or names an older
/// one, takes nothing back: the server of the older one may still take writes that would be lost.
struct Configuration {
    epoch: u64,
    place: Place,
    /// Which sentinel named it.
    by: usize,
}

/// A replica that a sentinel has begun to make the master.
struct Selected {
    place: Place,
    /// The configuration before.
    epoch: u64,
    until: Instant,
}

impl Heard {
    fn new(sentinels: usize) -> Self {
        Self {
            opinions: vec![Opinion::None; sentinels],
            newest: None,
            older_since: None,
            selected: None,
        }
    }

    fn hear(&mut self, by: usize, opinion: Opinion) {
        if let Opinion::Master { place, epoch } = &opinion {
            let is_newer = self.newest.as_ref().is_none_or(|newest| {
                // Of two places under one epoch the one that was named first counts, unless who
                // named it changes its mind.
                *epoch > newest.epoch || (*epoch == newest.epoch && by == newest.by)
            });
            if is_newer {
                self.newest = Some(Configuration {
                    epoch: *epoch,
                    place: place.clone(),
                    by,
                });
            }
        }
        if let Some(said) = self.opinions.get_mut(by) {
            *said = opinion;
        }
        self.forget_what_all_forgot();
    }

    fn forget_what_all_forgot(&mut self) {
        let older = self.older_of_all();
        let Some(older) = older else {
            self.older_since = None;
            return;
        };
        let since = *self.older_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= ALL_AGREE {
            self.newest = Some(older);
            self.older_since = None;
        }
    }

    /// The configuration that all sentinels name, where it is older than the newest.
    fn older_of_all(&self) -> Option<Configuration> {
        let newest = self.newest.as_ref()?.epoch;
        let mut all: Option<Configuration> = None;
        for (by, opinion) in self.opinions.iter().enumerate() {
            let Opinion::Master { place, epoch } = opinion else {
                return None;
            };
            let (place, epoch) = (place.clone(), *epoch);
            match &mut all {
                _ if epoch >= newest => return None,
                Some(all) if all.place != place => return None,
                Some(all) if all.epoch >= epoch => {}
                _ => all = Some(Configuration { epoch, place, by }),
            }
        }
        all
    }

    fn epoch(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.epoch)
    }
}

impl Council {
    pub(super) fn new(name: String, sentinels: usize) -> Self {
        Self {
            name,
            heard: Mutex::new(Heard::new(sentinels)),
            elected: watch::Sender::new(None),
            lines: Mutex::default(),
        }
    }

    /// Takes down what the sentinel at `at` says.
    pub(super) fn hear(&self, at: usize, opinion: Opinion) {
        let mut heard = self.heard.lock();
        heard.hear(at, opinion);
        self.elect(&heard);
    }

    /// Takes down that a sentinel makes the replica at `place` the master.
    pub(super) fn select(&self, place: Place) {
        let mut heard = self.heard.lock();
        heard.selected = Some(Selected {
            place,
            epoch: heard.epoch(),
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
        let denied = heard.opinions.iter().find_map(|opinion| match opinion {
            Opinion::Denied(why) => Some(*why),
            _ => None,
        });
        if let Some(why) = denied {
            return Fault::SentinelDenied(why.to_owned());
        }
        let failed = heard.opinions.iter().find_map(|opinion| match opinion {
            Opinion::Failed(why) => Some(why.clone()),
            _ => None,
        });
        Fault::NoSentinel(failed.unwrap_or_else(|| "none answered in time".to_owned()))
    }

    fn elect(&self, heard: &Heard) {
        let Some(newest) = &heard.newest else {
            return;
        };
        let place = match &heard.selected {
            Some(selected) if newest.epoch <= selected.epoch && Instant::now() < selected.until => {
                &selected.place
            }
            _ => &newest.place,
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

    fn failed() -> Opinion {
        Opinion::Failed(String::new())
    }

    #[test]
    fn a_sentinel_that_fails_takes_back_nothing_that_was_heard() {
        let council = Council::new("main".to_owned(), 2);
        council.hear(0, says(1, 5));
        council.hear(1, says(2, 4));
        for opinion in [failed(), Opinion::NoSuchMaster, Opinion::Denied("")] {
            council.hear(0, opinion);
            council.hear(1, says(2, 4));
            assert_eq!(elected(&council), Some(1));
        }
        // Also where it comes back with an older configuration than it had.
        council.hear(0, says(2, 0));
        council.hear(1, failed());
        assert_eq!(elected(&council), Some(1));
        council.hear(1, says(3, 6));
        assert_eq!(elected(&council), Some(3));
    }

    #[test]
    fn of_two_places_under_one_epoch_the_first_counts_until_who_named_it_names_another() {
        let council = Council::new("main".to_owned(), 2);
        council.hear(0, says(1, 0));
        council.hear(1, says(2, 0));
        assert_eq!(elected(&council), Some(1));
        council.hear(0, says(3, 0));
        assert_eq!(elected(&council), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn sentinels_that_were_all_set_up_anew_are_believed_when_they_agree_for_long() {
        let council = Council::new("main".to_owned(), 2);
        council.hear(0, says(1, 5));
        let all_say = |first: Opinion, second: Opinion| {
            council.hear(0, first);
            council.hear(1, second);
            elected(&council)
        };
        assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
        tokio::time::advance(ALL_AGREE - Duration::from_millis(1)).await;
        assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
        // One that says nothing for a moment may know better.
        assert_eq!(all_say(failed(), says(2, 1)), Some(1));
        assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
        tokio::time::advance(ALL_AGREE - Duration::from_millis(1)).await;
        assert_eq!(all_say(says(2, 0), says(3, 1)), Some(1));
        assert_eq!(all_say(says(2, 0), says(2, 1)), Some(1));
        tokio::time::advance(ALL_AGREE).await;
        assert_eq!(all_say(says(2, 0), says(2, 1)), Some(2));
        assert_eq!(all_say(says(2, 0), says(3, 2)), Some(3));
    }

    /// Each epoch has one master, as the sentinels see to. Whatever fails or is late, the epoch that
    /// is followed never falls.
    #[test]
    fn no_sequence_of_answers_leads_back_to_a_master_that_was_replaced() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let council = Council::new("main".to_owned(), 3);
            let mut highest = None;
            for _ in 0..100 {
                let opinion = match random.u8(0..5) {
                    0 => failed(),
                    1 => Opinion::NoSuchMaster,
                    _ => {
                        let epoch = random.u16(0..20);
                        highest = highest.max(Some(epoch));
                        says(epoch + 1, epoch.into())
                    }
                };
                council.hear(random.usize(0..3), opinion);
                assert_eq!(elected(&council), highest.map(|epoch| epoch + 1));
            }
        }
    }
}
