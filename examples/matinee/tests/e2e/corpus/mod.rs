//! A corpus of requests that poison caches, or trick them into storing personal responses.
//!
//! Each is sent as raw bytes by a signed-in visitor whose name is easy to recognize. Then others request
//! the same pages from every process, by plain links and by the attacker's link: nobody may see what
//! belongs to another visitor, and every page must be what it was. A leaky cache shows that the corpus
//! can fail.

mod case;
mod leaky;
mod stage;
mod tables;
pub(crate) mod wire;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use larder_test::server::Reply;

use self::leaky::{FLAWS, Leaky};
use self::stage::{Finding, Harm, Stage};
use self::tables::TABLES;
use crate::app::App;
use crate::plan::Plan;

/// Films that no request of the corpus asks for.
const UNREAD: Range<usize> = 3_100..3_130;

on_both_backends! {
    nobody_is_shown_what_is_anothers_and_no_page_is_poisoned,
}

fn nobody_is_shown_what_is_anothers_and_no_page_is_poisoned(plan: Plan) {
    let mut app = plan.open();
    let stage = Stage::set(&app);
    let mut found = Vec::new();
    let mut cases = 0;
    for case in TABLES.iter().copied().flatten() {
        cases += 1;
        found.extend(stage.play(cases, case));
    }
    let told: Vec<_> = found.iter().map(|it: &Finding| it.told.as_str()).collect();
    assert!(
        found.is_empty(),
        "{} of {cases}:\n{}",
        found.len(),
        told.join("\n")
    );
    assert!(cases >= 150, "{cases}");
    if app.shares_a_store() {
        assert_nothing_personal_is_kept(&mut app, stage.canaries());
    }
}

#[test]
fn a_cache_with_a_flaw_is_caught_and_one_that_keeps_nothing_is_not() {
    let app = Plan::memory().open();
    let mut stage = Stage::set(&app);
    let origin = app.first().address();
    for (number, (flaw, name, harm)) in FLAWS.into_iter().enumerate() {
        let cases = TABLES.iter().copied().flatten();
        let case = cases.clone().find(|case| case.name == name).unwrap();
        let patience = match harm {
            Harm::Hang => Duration::from_millis(500),
            _ => Duration::from_secs(8),
        };
        let mut found = |flaw| {
            let leaky = Leaky::open(origin, flaw);
            stage.behind(leaky.address(), patience);
            let found = stage.play(number, case);
            // This cache answers one request per connection, and knows less of HTTP than the app
            // does.
            let harms = found.into_iter().filter(|it| it.harm != Harm::Answers);
            harms.collect::<Vec<_>>()
        };
        let without = found(None);
        assert!(without.is_empty(), "{without:?}");
        let with = found(Some(flaw));
        assert!(
            with.iter().any(|it| it.harm == harm),
            "{flaw:?} does no {harm:?}: {with:?}"
        );
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let cases = TABLES.iter().copied().flatten();
    let names: BTreeSet<_> = cases.clone().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.count());
}

/// Asserts that the pages in the store contain nothing about the signed-in visitor.
fn assert_nothing_personal_is_kept(app: &mut App, canaries: &[String]) {
    // These show that stored pages can be read as below. They are kept for a minute, because their data comes from the
    // database: nobody has asked for these films. Most pages of the corpus are gone after five seconds.
    for film in UNREAD {
        assert_eq!(app.get(&format!("/films/{film}")).status, 200);
    }
    let mut redis = app.redis().connect().unwrap();
    let Reply::Array(keys) = redis.call(&["KEYS", "*response*"]).unwrap() else {
        panic!("no keys");
    };
    let mut pages = 0;
    for key in keys {
        let Reply::Bulk(key) = key else {
            panic!("no key");
        };
        let Reply::Bulk(value) = redis.call(&[b"GET".as_slice(), &key]).unwrap() else {
            continue;
        };
        let text = String::from_utf8_lossy(&value).to_lowercase();
        pages += usize::from(text.contains("matinee</title>"));
        let personal = canaries.iter().map(String::as_str).chain(["set-cookie"]);
        for personal in personal {
            assert!(
                !text.contains(personal),
                "{}",
                String::from_utf8_lossy(&key)
            );
        }
    }
    // On a busy machine a few may miss the store's deadline.
    assert!(pages > UNREAD.len() / 2, "{pages}");
}
