use std::time::Duration;

use larder_cache::{Builder, Cache};
use larder_store::{ErrorKind, Kind};

use crate::support::{FILM, MINUTE};

fn refusal(builder: Builder<u32, String>) -> String {
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn what_cannot_work_is_refused_when_the_cache_is_built_and_the_text_says_why() {
    let film = || Cache::builder(FILM, MINUTE);
    let wrong = [
        (
            Cache::builder(Kind::pinned("film"), MINUTE),
            "Kind::evictable",
        ),
        (
            Cache::builder(Kind::record("film"), MINUTE),
            "Kind::evictable",
        ),
        (film().with_jitter(1.1), "jitter"),
        (film().with_jitter(-0.1), "jitter"),
        (film().with_jitter(f64::NAN), "jitter"),
        (film().with_near_capacity(0), "near capacity"),
        (film().with_near_weight(0, |_, _| 1), "near capacity"),
        (film().with_max_loads(0), "cap on loads"),
        (film().with_load_deadline(Duration::ZERO), "deadline"),
        (film().with_far_deadline(Duration::ZERO), "deadline"),
    ];
    for (builder, expected) in wrong {
        let text = refusal(builder);
        assert!(
            text.contains("kind 'film'") && text.contains(expected),
            "{text}"
        );
    }
    assert!(film().build().is_ok());
}

#[test]
fn a_cache_is_cheap_to_clone_and_can_be_shared() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Cache<String, Vec<u8>>>();
    assert_eq!(size_of::<Cache<String, Vec<u8>>>(), size_of::<usize>());
}
