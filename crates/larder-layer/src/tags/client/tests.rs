use larder_moka::MokaStore;
use larder_store::{Clock, ErrorKind, ManualClock, Shard, Sharded, Store};
use larder_test::faulty::{Faulty, Switch, Trouble};

use super::*;

const HOUR: Ttl = Ttl::from_secs(3_600);
const MINUTE: i64 = 60_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// Two processes, and the clock of the node of the tag.
fn two() -> (Tags, Tags, ManualClock) {
    two_that_trust(Duration::ZERO)
}

fn two_that_trust(trust: Duration) -> (Tags, Tags, ManualClock) {
    let clock = ManualClock::default();
    let store = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
    let client = || {
        let programs = store.clone().programs().expect("programs");
        let timeout = StoreTimeout::new(Duration::from_secs(10), None);
        Tags::new(programs, None, timeout, trust)
    };
    (client(), client(), clock)
}

fn films() -> [Tag; 1] {
    [Tag::new("films")]
}

/// Begins a load on a store that does not know the time without a round trip.
fn begin(tags: &Tags) -> Tick {
    Tick {
        at: None,
        ..tags.tick()
    }
}

/// Notes the tag of a load whose lease is on a node whose clock is `skew` ahead.
async fn note(tags: &Tags, tick: Tick, clock: &ManualClock, skew: i64) -> bool {
    let now = clock.now();
    let began = LoadBegin::new(tick, now.plus_micros(skew));
    let noted = tags.note(&films(), began, HOUR, now).await;
    noted.expect("a store").is_some()
}

async fn change(tags: &Tags) {
    let changed = tags.change(&films(), TagChange::Remove, HOUR).await;
    assert!(changed.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_change_after_the_begin_of_a_load_is_seen_though_the_clocks_of_the_nodes_differ() {
    let (one, other, clock) = two();
    assert!(note(&one, begin(&one), &clock, 0).await, "a new tag");
    for skew in [-MINUTE, 0, MINUTE] {
        clock.advance(SECOND);
        let tick = begin(&one);
        change(&other).await;
        assert!(!note(&one, tick, &clock, skew).await, "{skew}");
        clock.advance(SECOND);
        assert!(
            note(&one, begin(&one), &clock, skew).await,
            "a later load, {skew}"
        );
    }
}

#[tokio::test]
async fn a_change_that_this_process_makes_or_hears_of_is_seen_by_each_load_that_has_begun() {
    for is_known in [true, false] {
        for is_made_here in [true, false] {
            let (one, other, clock) = two();
            if is_known {
                assert!(note(&one, begin(&one), &clock, 0).await);
            }
            clock.advance(SECOND);
            let tick = begin(&one);
            match is_made_here {
                true => change(&one).await,
                false => {
                    change(&other).await;
                    one.forget(&films());
                }
            }
            let what = format!("known: {is_known}, made here: {is_made_here}");
            assert!(!note(&one, tick, &clock, MINUTE).await, "{what}");
            // Another load has read the tag meanwhile.
            assert!(note(&one, begin(&one), &clock, MINUTE).await, "{what}");
            assert!(!note(&one, tick, &clock, MINUTE).await, "{what}");
        }
    }
}

#[tokio::test]
async fn a_load_after_a_change_that_this_process_made_needs_no_clock_either() {
    let (one, other, clock) = two();
    change(&one).await;
    clock.advance(SECOND);
    let (first, second) = (begin(&one), begin(&one));
    assert!(note(&one, first, &clock, -MINUTE).await);
    change(&other).await;
    assert!(!note(&one, second, &clock, MINUTE).await);
}

#[tokio::test]
async fn what_is_read_again_during_a_load_erases_nothing_that_was_known_when_it_began() {
    let (one, other, clock) = two();
    assert!(note(&one, begin(&one), &clock, 0).await);
    let (first, second) = (begin(&one), begin(&one));
    assert!(note(&one, begin(&one), &clock, -MINUTE).await, "unchanged");
    change(&other).await;
    assert!(!note(&one, first, &clock, MINUTE).await);
    assert!(!note(&one, second, &clock, MINUTE).await);
}

#[tokio::test]
async fn after_a_gap_the_tags_of_values_are_read_again_and_running_loads_know_what_they_knew() {
    let (one, other, clock) = two_that_trust(Duration::from_secs(3_600));
    let now = clock.now();
    let began = LoadBegin::new(begin(&one), now.plus_micros(MINUTE));
    let noted = one.note(&films(), began, HOUR, now).await;
    let carried = noted.expect("a store").expect("a new tag");
    let tick = begin(&one);
    change(&other).await;
    let validity = || async {
        one.validity(&[&carried], now)
            .await
            .remove(0)
            .expect("a store")
    };
    assert_eq!(validity().await, Validity::Current, "it is remembered");
    one.forget_all();
    assert_eq!(validity().await, Validity::Removed);
    assert!(!note(&one, tick, &clock, MINUTE).await);
    assert!(note(&one, begin(&one), &clock, -MINUTE).await);
}

#[tokio::test]
async fn a_write_of_the_callers_own_value_is_older_than_no_change() {
    let (one, other, clock) = two();
    assert!(note(&one, begin(&one), &clock, 0).await);
    for tags in [&one, &other] {
        change(tags).await;
        let (films, began) = (films(), LoadBegin::after_all_changes());
        let noted = one.note(&films, began, HOUR, clock.now()).await;
        assert!(noted.expect("a store").is_some());
    }
}

#[tokio::test]
async fn what_was_read_while_a_load_ran_says_nothing_about_its_begin() {
    let (one, other, clock) = two();
    clock.advance(SECOND);
    let began = LoadBegin::new(begin(&one), clock.now());
    clock.advance(SECOND);
    change(&other).await;
    // Another load of this process records the tag after the change.
    assert!(note(&one, begin(&one), &clock, MINUTE).await);
    let now = clock.now();
    let noted = one.note(&films(), began, HOUR, now).await;
    assert!(noted.expect("a store").is_none());
}

/// A fence is one more than the last one, and so may be ahead of the clock.
#[tokio::test]
async fn a_load_began_no_later_than_the_time_that_the_store_had_then() {
    let (one, other, clock) = two();
    let tick = one.tick();
    change(&other).await;
    assert!(!note(&one, tick, &clock, 1).await);
    clock.advance_micros(1);
    assert!(note(&one, one.tick(), &clock, 1).await);
}

#[tokio::test]
async fn a_tag_that_several_values_carry_is_judged_alike_while_it_is_forgotten() {
    let (one, _, clock) = two_that_trust(SECOND * 3_600);
    let one = Arc::new(one);
    let began = LoadBegin::new(begin(&one), clock.now());
    let noted = one.note(&films(), began, HOUR, clock.now()).await;
    let carried = noted.expect("a store").expect("a new tag");
    let values = [carried.as_slice(); 64];
    let forgetting = {
        let one = Arc::downgrade(&one);
        std::thread::spawn(move || {
            while let Some(one) = one.upgrade() {
                one.forget_all();
            }
        })
    };
    for _ in 0..3_000 {
        let validity = one.validity(&values, clock.now()).await;
        let validity: Vec<_> = validity.into_iter().map(Result::ok).collect();
        assert_eq!(validity, [Some(Validity::Current); 64]);
    }
    drop(one);
    forgetting.join().expect("no panic");
}

/// Two shards, a tag on each, and what switches the faults of each.
fn two_shards() -> (Arc<Sharded>, [Tag; 2], [Switch; 2]) {
    let nodes = [(); 2].map(|()| Faulty::new(Arc::new(MokaStore::new())));
    let switches = [nodes[0].switch(), nodes[1].switch()];
    let shards = nodes.into_iter().zip(["lost", "steady"]);
    let shards = shards.map(|(node, name)| Shard::new(name, Arc::new(node)));
    let store = Arc::new(Sharded::new(shards).expect("two shards"));
    let tag_on = |shard| {
        let mut tags = (0..1_000).map(|number| Tag::new(&number.to_string()));
        let tag = tags.find(|tag| store.shard_of(&tag.key()) == shard);
        tag.expect("some tag is there")
    };
    let tags = ["lost", "steady"].map(tag_on);
    (store, tags, switches)
}

fn client(store: &Arc<Sharded>) -> Tags {
    let programs = store.clone().programs().expect("programs");
    let timeout = StoreTimeout::new(SECOND * 10, None);
    Tags::new(programs, None, timeout, SECOND * 3_600)
}

#[tokio::test]
async fn a_tag_that_cannot_be_noted_hides_no_change_of_another() {
    let (store, tags, [lost, _]) = two_shards();
    let (one, other, now) = (client(&store), client(&store), Timestamp::from_micros(0));
    for order in [[0, 1], [1, 0]] {
        let tags = order.map(|at| tags[at]);
        let new = other.note(&tags, LoadBegin::after_all_changes(), HOUR, now);
        assert!(new.await.expect("a store").is_some());
        let began = LoadBegin::new(begin(&other), now);
        lost.set(Trouble::Fail(ErrorKind::NotSent));
        let noted = other.note(&tags, began, HOUR, now).await;
        assert_eq!(noted.unwrap_err().kind(), ErrorKind::NotSent, "unchanged");
        let began = LoadBegin::new(begin(&other), now);
        let steady = tags[order[1]];
        let changed = one.change(&[steady], TagChange::Remove, HOUR).await;
        assert!(changed.iter().all(Result::is_ok));
        let noted = other.note(&tags, began, HOUR, now).await;
        assert!(matches!(noted, Ok(None)), "{noted:?}");
        lost.clear();
    }
}

#[tokio::test]
async fn a_tag_that_cannot_be_read_costs_only_the_values_that_carry_it() {
    let (store, tags, [lost, steady]) = two_shards();
    let (one, other, now) = (client(&store), client(&store), Timestamp::from_micros(0));
    let noted = one.note(&tags, LoadBegin::after_all_changes(), HOUR, now);
    let both = noted.await.expect("a store").expect("new tags");
    let removed = [both[0], (tags[1], Generation::random())];
    let values = [&both[..1], &both[1..], &both[..], &removed[..], &[]];

    lost.set(Trouble::Fail(ErrorKind::NotSent));
    let validity = other.validity(&values, now).await;
    let kinds = validity.into_iter();
    let kinds: Vec<_> = kinds.map(|one| one.map_err(|error| error.kind())).collect();
    let unread = Err(ErrorKind::NotSent);
    let expected = [
        unread,
        Ok(Validity::Current),
        unread,
        Ok(Validity::Removed),
        Ok(Validity::Current),
    ];
    assert_eq!(kinds, expected);
    // The other client remembers the tag that it could read.
    steady.set(Trouble::Fail(ErrorKind::NotSent));
    let validity = other.validity(&[&both[1..]], now).await;
    assert!(
        matches!(validity[..], [Ok(Validity::Current)]),
        "{validity:?}"
    );
}
