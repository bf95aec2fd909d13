use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use larder_cache::{Cache, Loaded, Source};
use larder_store::{ManualClock, Store, Ttl};

use crate::support::{FILM, MINUTE, Staged, beside, counts, far_key, films, load};

#[tokio::test]
async fn a_value_is_there_until_its_ttl_and_not_a_microsecond_longer() {
    let clock = ManualClock::default();
    let films = films(&clock).build().unwrap();
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    clock.advance_micros(MINUTE.as_micros() - 1);
    assert!(films.get(&7).await.is_some());
    clock.advance_micros(1);
    assert!(films.get_near(&7).is_none());
    assert!(films.get(&7).await.is_none());
    assert_eq!(load(&films, &7, "again").await, "again");
    assert_eq!(*films.get_near(&7).unwrap(), "again");
}

#[tokio::test]
async fn a_near_copy_ends_with_the_far_value_it_was_made_from() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let (one, two) = (beside(&clock, &store), beside(&clock, &store));
    one.insert(7, "Metropolis".to_owned()).await.unwrap();
    clock.advance(Duration::from_secs(50));
    assert_eq!(two.find(&7).await.unwrap().source, Source::Far);
    clock.advance_micros(10_000_000 - 1);
    assert!(two.get_near(&7).is_some());
    clock.advance_micros(1);
    assert!(two.get_near(&7).is_none());
    assert!(two.get(&7).await.is_none());
}

#[tokio::test]
async fn a_near_copy_ends_after_the_near_ttl_and_is_read_far_again() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let films = beside(&clock, &store);
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    // 30 s is the default.
    clock.advance_micros(30_000_000 - 1);
    assert_eq!(films.find(&7).await.unwrap().source, Source::Near);
    clock.advance_micros(1);
    assert_eq!(films.find(&7).await.unwrap().source, Source::Far);
    assert_eq!(films.find(&7).await.unwrap().source, Source::Near);
}

#[tokio::test]
async fn without_a_far_store_the_near_ttl_is_the_ttl() {
    let clock = ManualClock::default();
    let films = films(&clock).build().unwrap();
    films.insert(7, "Metropolis".to_owned()).await.unwrap();
    clock.advance(Duration::from_secs(59));
    assert!(films.get_near(&7).is_some());
}

#[tokio::test]
async fn jitter_spreads_the_ends_and_lengthens_none() {
    let clock = ManualClock::default();
    let store = Arc::new(Staged::new(&clock));
    let films: Cache<u32, String> = Cache::builder(FILM, MINUTE)
        .with_jitter(0.5)
        .with_near_ttl(MINUTE.into())
        .with_clock(clock.clone())
        .with_far(store.clone())
        .build()
        .unwrap();
    for film in 0..300 {
        if film % 2 == 0 {
            films.insert(film, String::new()).await.unwrap();
        } else {
            load(&films, &film, "").await;
        }
        let ttl = store.ttl(&far_key(film)).await.unwrap().unwrap();
        assert!(ttl <= MINUTE && ttl >= Ttl::from_secs(30), "{ttl:?}");
    }
    let left = || {
        (0..300)
            .filter(|film| films.get_near(film).is_some())
            .count()
    };
    clock.advance(Duration::from_secs(29));
    // A near copy may be shortened twice at random: by its own jitter, and by that of the value.
    let (half, all) = (left(), 300);
    assert!(half > all * 9 / 10, "{half}");
    clock.advance(Duration::from_secs(15));
    let some = left();
    assert!(some > 0 && some < half, "{some}");
    clock.advance(Duration::from_secs(16));
    assert_eq!(left(), 0);
    for film in 0..300 {
        assert!(films.get(&film).await.is_none());
    }
}

#[tokio::test]
async fn a_loader_may_give_a_ttl_of_its_own() {
    let clock = ManualClock::default();
    let films = films(&clock).build().unwrap();
    let load = || async {
        Ok::<_, Infallible>(Loaded::new("brief".to_owned()).with_ttl(Ttl::from_secs(1)))
    };
    films.find_or_load(&7, load).await.unwrap();
    clock.advance_micros(999_999);
    assert!(films.get(&7).await.is_some());
    clock.advance_micros(1);
    assert!(films.get(&7).await.is_none());
}

#[tokio::test]
async fn a_loader_may_give_a_longer_ttl_than_that_of_the_cache() {
    let clock = ManualClock::default();
    let films = films(&clock).build().unwrap();
    let load = || async {
        Ok::<_, Infallible>(Loaded::new("long".to_owned()).with_ttl(Ttl::from_secs(3_600)))
    };
    films.find_or_load(&7, load).await.unwrap();
    clock.advance_micros(3_600_000_000 - 1);
    assert!(films.get(&7).await.is_some());
    clock.advance_micros(1);
    assert!(films.get(&7).await.is_none());
}

#[tokio::test]
async fn a_far_value_past_its_deadline_is_a_miss_even_if_the_store_still_has_it() {
    let counts = counts();
    let _recording = counts.record();
    let (stores, readers) = (ManualClock::default(), ManualClock::default());
    let store = Arc::new(Staged::new(&stores));
    beside(&stores, &store)
        .insert(7, "old".to_owned())
        .await
        .unwrap();
    readers.advance(Duration::from_secs(60));
    assert!(beside(&readers, &store).get(&7).await.is_none());
    assert_eq!(counts.count("larder_poisoned_total"), 0);
}

#[tokio::test]
async fn the_near_tier_keeps_to_its_capacity() {
    let clock = ManualClock::default();
    let by_count = films(&clock).with_max_near_entries(10).build().unwrap();
    let by_weight = films(&clock)
        .with_max_near_weight(1_000, |_, title: &String| title.len() as u64)
        .build()
        .unwrap();
    for film in 0..2_000 {
        by_count.insert(film, "x".repeat(100)).await.unwrap();
        by_weight.insert(film, "x".repeat(100)).await.unwrap();
    }
    for films in [by_count, by_weight] {
        let held = (0..2_000)
            .filter(|film| films.get_near(film).is_some())
            .count();
        assert!(held < 1_000, "{held}");
    }
}
