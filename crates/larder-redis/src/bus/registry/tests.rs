//! Checks the registry after random sequences of events.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use larder_store::{Error, ErrorKind};

use super::state::Status;
use super::{Change, LinkId, SubscriptionRegistry};
use crate::bus::subject::{Sort, Subject};
use crate::bus::subscriber::{Sink, Subscriber};

const LINKS: u64 = 3;
const SUBJECTS: u64 = 5;

fn subject(number: u64) -> Subject {
    Subject::plain(&format!("seat:{{{number}}}"), Sort::Shard)
}

fn registry() -> SubscriptionRegistry {
    SubscriptionRegistry::new(1_000, "here".into())
}

fn listen(
    registry: &SubscriptionRegistry,
    subjects: Vec<(Subject, LinkId)>,
) -> Option<Arc<Subscriber>> {
    registry.add(subjects, Sink::Wakeup(Arc::default())).ok()
}

fn pending(registry: &SubscriptionRegistry, link: LinkId) -> usize {
    let state = registry.state.lock();
    state.links.get(&link).map_or(0, |link| link.changed.len())
}

#[test]
fn pending_changes_of_a_link_hold_each_subject_once_however_long_its_server_is_away() {
    let registry = registry();
    let subscribers: Vec<_> = (0..10)
        .map(|number| listen(&registry, vec![(subject(number), 1)]).unwrap())
        .collect();
    let look = |most: usize| {
        for _ in 0..100 {
            registry.reassign(|_| Some(1));
            assert!(pending(&registry, 1) <= most);
        }
    };
    look(0);
    registry.up(1);
    look(10);
    assert_eq!(registry.changes(1).len(), 10);
    registry.lost(1);
    look(0);
    // Other subscribers come and go in the meantime.
    for number in 100..1_000 {
        let subscriber = listen(&registry, vec![(subject(number), 1)]).unwrap();
        registry.remove(subscriber.number, &subscriber.texts);
    }
    assert_eq!(registry.state.lock().subjects.len(), subscribers.len());
}

#[test]
fn the_state_of_a_link_is_forgotten_with_it() {
    let registry = registry();
    let subscriber = listen(&registry, vec![(subject(1), 7)]).unwrap();
    let ids = || {
        registry
            .state
            .lock()
            .links
            .keys()
            .copied()
            .collect::<Vec<_>>()
    };
    registry.keep_links(HashSet::new);
    assert_eq!(ids(), [7], "something is listened to on it");
    registry.reassign(|_| Some(8));
    registry.keep_links(|| HashSet::from([8]));
    assert_eq!(ids(), [8]);
    registry.remove(subscriber.number, &subscriber.texts);
    registry.keep_links(HashSet::new);
    assert_eq!(ids(), []);
}

#[test]
fn a_subscription_to_many_channels_fails_in_no_time() {
    const CHANNELS: u64 = 100_000;
    let registry = SubscriptionRegistry::new(CHANNELS as usize, "here".into());
    let subjects = (0..CHANNELS).map(|number| (subject(number), 1));
    let subscriber = listen(&registry, subjects.collect()).unwrap();
    let began = std::time::Instant::now();
    registry.down(1, Error::new("subscribe", ErrorKind::NotSent, ""));
    // It takes less than a second. If each of them searched all channels, it would take minutes.
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert!(!subscriber.is_subscribed());
    assert_eq!(registry.state.lock().held, 0);
}

/// A registry, and the requests that its servers have not answered yet.
struct Scene {
    registry: SubscriptionRegistry,
    subscribers: Vec<Arc<Subscriber>>,
    asked: Vec<VecDeque<Change>>,
    random: fastrand::Rng,
}

impl Scene {
    fn event(&mut self) {
        let link = self.random.u64(0..LINKS);
        let is_up = self.registry.is_up(link);
        match self.random.u8(0..8) {
            0 => self.listen(),
            1 if !self.subscribers.is_empty() => {
                let subscriber = self
                    .subscribers
                    .swap_remove(self.random.usize(0..self.subscribers.len()));
                self.registry.remove(subscriber.number, &subscriber.texts);
            }
            2 if !is_up => self.registry.up(link),
            3 if is_up => {
                self.asked_of(link).clear();
                self.registry.lost(link);
            }
            4 if !is_up => {
                let error = Error::new("subscribe", ErrorKind::NotSent, "down");
                self.registry.down(link, error);
                self.registry.clear_failure(link);
            }
            5 if is_up => self.ask(link),
            6 => {
                let is_there = self.random.u8(0..4) > 0;
                self.answer(link, is_there);
            }
            7 => {
                let shift = self.random.u64(0..LINKS);
                self.registry
                    .reassign(|subject| Some(link_of(subject, shift)));
            }
            _ => {}
        }
    }

    fn listen(&mut self) {
        let first = self.random.u64(0..SUBJECTS);
        let count = self.random.u64(1..=2);
        let numbers = (first..first + count).map(|number| number % SUBJECTS);
        let subjects = numbers.map(|number| {
            let link = self.random.u64(0..LINKS);
            (subject(number), link)
        });
        let subjects = subjects.collect();
        self.subscribers.extend(listen(&self.registry, subjects));
    }

    fn asked_of(&mut self, link: LinkId) -> &mut VecDeque<Change> {
        &mut self.asked[usize::try_from(link).unwrap()]
    }

    fn ask(&mut self, link: LinkId) {
        let changes = self.registry.changes(link);
        self.asked_of(link).extend(changes);
    }

    fn answer(&mut self, link: LinkId, is_there: bool) {
        match self.asked_of(link).pop_front() {
            Some(Change::Subscribe(subject)) if is_there => {
                self.registry.confirmed(link, subject.text());
            }
            Some(Change::Subscribe(subject)) if self.random.bool() => {
                self.registry.moved_away(link, subject.text());
            }
            Some(Change::Subscribe(subject)) => {
                let error = Error::new("subscribe", ErrorKind::NotSent, "unserved");
                self.registry.unserved(link, subject.text(), &error);
            }
            Some(Change::Unsubscribe(subject)) => {
                self.registry.left(link, subject.text());
            }
            None => {}
        }
    }

    /// Checks the counters and the states of subscribers against the entries.
    fn check(&self) {
        let state = self.registry.state.lock();
        let entries = || state.subjects.values();
        let held: usize = entries().map(|entry| entry.subscribers.len()).sum();
        assert_eq!(state.held, held);
        for (id, link) in &state.links {
            let mine = entries().filter(|entry| entry.link == *id).count();
            assert_eq!(link.subjects, mine, "the subjects of a link");
            assert!(link.is_up || link.changed.is_empty());
            for text in &link.changed {
                let entry = state.subjects.get(text);
                assert!(entry.is_some_and(|entry| entry.link == *id));
            }
        }
        for subscriber in entries().flat_map(|entry| entry.subscribers.values()) {
            let is_on = |text: &str| state.subjects[text].status == Status::On;
            // One that lost a subject is inactive, and is told of a gap when it is active again.
            let is_active = subscriber.texts.iter().all(|text| is_on(text));
            assert_eq!(subscriber.is_active(), is_active);
        }
    }

    /// Lets every server answer.
    fn settle(&mut self) {
        for link in 0..LINKS {
            if !self.registry.is_up(link) {
                self.registry.up(link);
            }
        }
        self.registry.reassign(|subject| Some(link_of(subject, 0)));
        for link in (0..LINKS).cycle().take(20 * 3) {
            self.ask(link);
            while !self.asked_of(link).is_empty() {
                self.answer(link, true);
            }
        }
    }
}

/// Returns the link of a subject after the slots moved `shift` times.
fn link_of(subject: &Subject, shift: u64) -> LinkId {
    (u64::from(subject.text().as_bytes()[6]) + shift) % LINKS
}

#[test]
fn all_subscribers_are_confirmed_again_after_any_events_and_nothing_is_left_when_they_go() {
    for seed in 0..300 {
        let mut scene = Scene {
            registry: registry(),
            subscribers: Vec::new(),
            asked: (0..LINKS).map(|_| VecDeque::new()).collect(),
            random: fastrand::Rng::with_seed(seed),
        };
        for _ in 0..200 {
            scene.event();
            scene.check();
        }
        scene.settle();
        scene.check();
        let listening: Vec<_> = {
            let state = scene.registry.state.lock();
            let entries = state.subjects.values();
            entries
                .flat_map(|entry| entry.subscribers.values().cloned())
                .collect()
        };
        assert!(listening.iter().all(|subscriber| subscriber.is_active()));
        for subscriber in std::mem::take(&mut scene.subscribers) {
            scene.registry.remove(subscriber.number, &subscriber.texts);
        }
        scene.settle();
        scene.registry.keep_links(HashSet::new);
        let state = scene.registry.state.lock();
        assert_eq!((state.held, state.subjects.len()), (0, 0), "seed {seed}");
        assert!(state.links.is_empty());
    }
}
