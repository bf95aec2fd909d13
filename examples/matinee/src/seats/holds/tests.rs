//! The guarantees of holds, on both stores, by a clock that the test moves.

use larder::moka::MokaStore;
use larder::redis::RedisStore;
use larder::store::ManualClock;
use larder_test::server::RedisServer;

use super::*;

const SHOWING: i64 = 7;
const FIVE_MINUTES: i64 = 300_000_000;

struct Scene {
    clock: ManualClock,
    holds: Holds,
}

impl Scene {
    fn new(clock: ManualClock, store: Arc<dyn Store>) -> Self {
        let holds = Holds::new(store, Ttl::from_secs(300)).unwrap();
        Self { clock, holds }
    }

    async fn hold(&self, holder: &str, these: &[&str]) -> Held {
        self.holds
            .hold(SHOWING, holder, seats(these))
            .await
            .unwrap()
    }

    async fn secure(&self, holder: &str, these: &[&str]) -> bool {
        self.holds
            .secure(SHOWING, holder, seats(these))
            .await
            .unwrap()
    }

    async fn release(&self, holder: &str, these: &[&str]) -> BTreeSet<Seat> {
        let released = self.holds.release(SHOWING, holder, seats(these));
        released.await.unwrap()
    }

    /// Who holds what, as in `A1 ada`.
    async fn held(&self) -> Vec<String> {
        let held = self.holds.read(SHOWING).await.unwrap().into_iter();
        held.map(|(seat, hold)| format!("{seat} {}", hold.holder))
            .collect()
    }
}

fn seats(texts: &[&str]) -> BTreeSet<Seat> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// All seats of a request are held, and these are new.
fn yours(new: &[&str]) -> Held {
    Held::Yours { new: seats(new) }
}

/// Runs a test on the store in process, and on Redis.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let clock = ManualClock::default();
            let store = MokaStore::builder().with_clock(clock.clone()).build();
            scenes::$name(Scene::new(clock, Arc::new(store))).await;

            let (clock, server) = (ManualClock::default(), RedisServer::start().unwrap());
            let store = RedisStore::builder(&server.url()).with_virtual_time(clock.clone());
            let store = store.with_timeout(std::time::Duration::from_secs(10));
            let store = store.connect().await.unwrap();
            scenes::$name(Scene::new(clock, Arc::new(store))).await;
        }
    )+};
}

on_both_stores! {
    a_seat_comes_back_after_five_minutes_and_not_a_microsecond_before,
    several_seats_are_held_together_or_not_at_all,
    nobody_holds_more_than_eight_seats_of_a_showing,
    asking_again_does_not_prolong_a_hold,
    a_hold_is_given_back_by_nobody_but_its_holder,
    a_booking_in_progress_keeps_its_seats,
}

mod scenes {
    use super::*;

    pub(super) async fn a_seat_comes_back_after_five_minutes_and_not_a_microsecond_before(
        scene: Scene,
    ) {
        assert_eq!(scene.hold("ada", &["F12"]).await, yours(&["F12"]));
        scene.clock.advance_micros(FIVE_MINUTES - 1);
        let taken = Held::Taken(seats(&["F12"]).into_iter().collect());
        assert_eq!(scene.hold("grace", &["F12"]).await, taken);
        assert_eq!(scene.holds.read(SHOWING).await.unwrap().len(), 1);
        scene.clock.advance_micros(1);
        assert!(scene.held().await.is_empty());
        assert!(!scene.secure("ada", &["F12"]).await);
        assert_eq!(scene.hold("grace", &["F12"]).await, yours(&["F12"]));
        assert_eq!(scene.held().await, ["F12 grace"]);
    }

    pub(super) async fn several_seats_are_held_together_or_not_at_all(scene: Scene) {
        assert_eq!(scene.hold("ada", &["A1", "A2"]).await, yours(&["A1", "A2"]));
        let taken = Held::Taken(seats(&["A1", "A2"]).into_iter().collect());
        assert_eq!(scene.hold("grace", &["A3", "A2", "A1"]).await, taken);
        assert_eq!(scene.held().await, ["A1 ada", "A2 ada"]);
        assert!(!scene.secure("ada", &["A1", "A3"]).await);
        assert!(!scene.secure("grace", &["A1"]).await);
    }

    pub(super) async fn nobody_holds_more_than_eight_seats_of_a_showing(scene: Scene) {
        let first = ["A1", "A2", "A3", "A4", "A5", "A6", "A7"];
        assert_eq!(scene.hold("ada", &first).await, yours(&first));
        assert_eq!(scene.hold("ada", &["B1", "B2"]).await, Held::TooMany);
        assert_eq!(scene.hold("ada", &["A1", "B1"]).await, yours(&["B1"]));
        assert_eq!(scene.hold("ada", &["B2"]).await, Held::TooMany);
        // Others, and other showings, are not counted.
        assert_eq!(scene.hold("grace", &["B2"]).await, yours(&["B2"]));
        let other = scene.holds.hold(SHOWING + 1, "ada", seats(&["A1"])).await;
        assert_eq!(other.unwrap(), yours(&["A1"]));
        scene.clock.advance_micros(FIVE_MINUTES);
        assert_eq!(scene.hold("ada", &["B2"]).await, yours(&["B2"]));
    }

    pub(super) async fn asking_again_does_not_prolong_a_hold(scene: Scene) {
        assert_eq!(scene.hold("ada", &["A1"]).await, yours(&["A1"]));
        scene.clock.advance_micros(FIVE_MINUTES / 2);
        assert_eq!(scene.hold("ada", &["A1", "A2"]).await, yours(&["A2"]));
        scene.clock.advance_micros(FIVE_MINUTES / 2);
        assert_eq!(scene.held().await, ["A2 ada"]);
        // A hold that has ended is not given back.
        assert_eq!(scene.release("ada", &["A1"]).await, seats(&[]));
    }

    pub(super) async fn a_hold_is_given_back_by_nobody_but_its_holder(scene: Scene) {
        assert_eq!(scene.hold("ada", &["A1", "A2"]).await, yours(&["A1", "A2"]));
        assert_eq!(scene.release("grace", &["A1"]).await, seats(&[]));
        assert_eq!(scene.held().await, ["A1 ada", "A2 ada"]);
        assert_eq!(scene.release("ada", &["A1", "B1"]).await, seats(&["A1"]));
        assert_eq!(scene.held().await, ["A2 ada"]);
    }

    pub(super) async fn a_booking_in_progress_keeps_its_seats(scene: Scene) {
        assert_eq!(scene.hold("ada", &["A1"]).await, yours(&["A1"]));
        scene.clock.advance_micros(FIVE_MINUTES - 1);
        assert!(scene.secure("ada", &["A1"]).await);
        scene.clock.advance_micros(MOMENT.as_micros() - 1);
        assert_eq!(scene.held().await, ["A1 ada"]);
        scene.clock.advance_micros(1);
        assert!(scene.held().await.is_empty());
        // It never cuts a hold short.
        assert_eq!(scene.hold("ada", &["A1"]).await, yours(&["A1"]));
        assert!(scene.secure("ada", &["A1"]).await);
        scene.clock.advance_micros(FIVE_MINUTES - 1);
        assert_eq!(scene.held().await, ["A1 ada"]);
    }
}
