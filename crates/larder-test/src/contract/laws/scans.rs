use std::collections::BTreeSet;
use std::sync::Arc;

use larder_store::lease::Claim;
use larder_store::program::Record;
use larder_store::scan::{Cursor, MAX_PAGE, Scan};
use larder_store::{Delete, ErrorKind, Key, Kind, Put};

use super::scene::{LONG, Scene, is_error};
use super::{Outcome, Violation};
use crate::contract::records::{Add, Tally};

/// The number of keys by which a page may exceed the requested size.
const MORE: usize = 32;

pub(super) async fn every_key_is_listed(at: Scene<'_>) -> Outcome {
    let mut expected = BTreeSet::new();
    for id in 0..100_u64 {
        let put = at.put(id, "value");
        at.write(&put).await?;
        expected.insert(put.key().as_str().to_owned());
    }
    let listed = all(&at, "law", 7).await?;
    let missing = expected.difference(&listed).count();
    ensure_eq!(missing, 0, "keys of 100 that no page lists");
    Ok(())
}

pub(super) async fn a_record_is_listed(at: Scene<'_>) -> Outcome {
    let key = Key::new(Tally::KIND, "t");
    let add = Add {
        by: 1,
        limit: 9,
        ttl: LONG,
    };
    at.programs()?.run(&key, &add).await?;
    let listed = all(&at, Tally::KIND.name(), 10).await?;
    ensure!(
        listed.contains(key.as_str()),
        "a scan for the kind of a record: expected the record, got {} others",
        listed.len()
    );
    Ok(())
}

pub(super) async fn keys_of_both_spaces_are_listed(at: Scene<'_>) -> Outcome {
    const SCANNED: [Kind; 2] = [
        Kind::pinned("scanned-pinned"),
        Kind::evictable("scanned-evictable"),
    ];
    let keys = SCANNED.map(|kind| Key::new(kind, "a"));
    for key in &keys {
        at.write(&Put::new(key.clone(), "value", LONG)).await?;
    }
    let listed = all(&at, "scanned", 10).await?;
    let expected: BTreeSet<_> = keys.iter().map(|key| key.as_str().to_owned()).collect();
    ensure_eq!(listed, expected, "the keys of two kinds");
    Ok(())
}

pub(super) async fn a_key_that_stays_is_listed_while_others_come_and_go(at: Scene<'_>) -> Outcome {
    let mut stays = BTreeSet::new();
    for id in 0..100_u64 {
        let put = at.put(("stays", id), "value");
        at.write(&put).await?;
        at.write(&at.put(("goes", id), "value")).await?;
        stays.insert(put.key().as_str().to_owned());
    }
    let (scan, mut after, mut listed) = (scan(&at)?, None, BTreeSet::new());
    for round in 0..10_u64 {
        let page = scan.page("law", after.as_ref(), 10).await?;
        listed.extend(page.keys);
        // More keys are removed than added, so that a cursor that counts keys becomes wrong.
        for id in (round * 10)..(round * 10 + 10) {
            let gone = Delete::new(at.key(("goes", id)));
            let _ = at.store.delete(&gone).await?;
            if id % 2 == 0 {
                at.write(&at.put(("comes", id), "value")).await?;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    listed.extend(rest(&*scan, "law", after).await?);
    let missing = stays.difference(&listed).count();
    ensure_eq!(missing, 0, "keys of 100 that stay, which no page lists");
    Ok(())
}

pub(super) async fn only_keys_that_begin_with_the_prefix_are_listed(at: Scene<'_>) -> Outcome {
    for id in ["ab", "a", "b", "law"] {
        at.write(&at.put(id, "value")).await?;
        let other = Key::new(at.other_kind(), id);
        at.write(&Put::new(other, "value", LONG)).await?;
    }
    for prefix in ["law:{a", "law:", "law-other", "law:{ab}", "aw", "nothing"] {
        let all: BTreeSet<_> = all(&at, "", 10).await?;
        let expected = all.into_iter().filter(|key| key.starts_with(prefix));
        let expected: BTreeSet<_> = expected.collect();
        let listed = self::all(&at, prefix, 10).await?;
        ensure_eq!(listed, expected, "the keys that begin with '{prefix}'");
    }
    Ok(())
}

pub(super) async fn a_prefix_is_not_a_pattern(at: Scene<'_>) -> Outcome {
    at.write(&at.put("film", "value")).await?;
    for prefix in ["*", "law:{?", "law:{[a-z]", "l?w", "\\law", "law*", "[^x]"] {
        let listed = all(&at, prefix, 10).await?;
        ensure!(
            listed.is_empty(),
            "a scan for the prefix '{prefix}': expected nothing, got {} keys",
            listed.len()
        );
    }
    Ok(())
}

pub(super) async fn a_page_is_bounded(at: Scene<'_>) -> Outcome {
    for id in 0..300_u64 {
        at.write(&at.put(id, "value")).await?;
    }
    for about in [1, 20] {
        let (scan, mut after) = (scan(&at)?, None);
        for _ in 0..10 {
            let page = scan.page("law", after.as_ref(), about).await?;
            ensure!(
                page.keys.len() <= about + MORE,
                "a page of about {about}: got {} keys",
                page.keys.len()
            );
            let Some(next) = page.next else { break };
            after = Some(next);
        }
    }
    Ok(())
}

pub(super) async fn a_page_has_a_size_within_bounds(at: Scene<'_>) -> Outcome {
    let scan = scan(&at)?;
    for about in [0, MAX_PAGE + 1, usize::MAX] {
        let page = scan.page("law", None, about).await;
        is_error(page, ErrorKind::Invalid, "a page of a size out of bounds")?;
    }
    scan.page("law", None, MAX_PAGE).await?;
    Ok(())
}

pub(super) async fn an_unknown_cursor_is_refused(at: Scene<'_>) -> Outcome {
    for id in 0..100_u64 {
        at.write(&at.put(id, "value")).await?;
    }
    let scan = scan(&at)?;
    let garbage = [
        "",
        "garbage",
        "-1",
        "0x10",
        "99999999999999999999999999",
        "\0",
        " 7",
    ];
    for garbage in garbage {
        let page = scan.page("law", Some(&Cursor::new(garbage)), 10).await;
        is_error(page, ErrorKind::Invalid, "a page after a made-up cursor")?;
    }
    Ok(())
}

pub(super) async fn leases_are_not_listed(at: Scene<'_>) -> Outcome {
    let put = at.put("film", "a long night");
    at.write(&put).await?;
    let claim = Claim::new(put.key().clone(), LONG).having_seen(put.version());
    at.leads(&claim, "a claim that has seen the value").await?;
    at.lead(&at.key("absent")).await?;
    let listed = all(&at, "", 10).await?;
    let expected = BTreeSet::from([put.key().as_str().to_owned()]);
    ensure_eq!(listed, expected, "the keys beside two leases");
    Ok(())
}

pub(super) async fn a_deleted_key_is_not_listed(at: Scene<'_>) -> Outcome {
    let (gone, stays) = (at.put("gone", "value"), at.put("stays", "value"));
    for put in [&gone, &stays] {
        at.write(put).await?;
    }
    let _ = at.store.delete(&Delete::new(gone.key().clone())).await?;
    let listed = all(&at, "law", 10).await?;
    let expected = BTreeSet::from([stays.key().as_str().to_owned()]);
    ensure_eq!(listed, expected, "the keys after one of two was deleted");
    Ok(())
}

pub(super) async fn an_expired_key_is_not_listed(at: Scene<'_>) -> Outcome {
    let put = at.expired("film").await?;
    let listed = all(&at, "law", 10).await?;
    ensure!(
        !listed.contains(put.key().as_str()),
        "a scan after the end of a value: expected not to list it, got it"
    );
    Ok(())
}

fn scan(at: &Scene<'_>) -> Outcome<Arc<dyn Scan>> {
    let scan = at.store.clone().scan();
    scan.ok_or_else(|| {
        Violation::new("expected a store that lists its keys, got one that does not")
    })
}

/// Returns the keys of all pages.
async fn all(at: &Scene<'_>, prefix: &str, about: usize) -> Outcome<BTreeSet<String>> {
    let scan = scan(at)?;
    let first = scan.page(prefix, None, about).await?;
    let mut listed: BTreeSet<String> = first.keys.into_iter().collect();
    listed.extend(rest(&*scan, prefix, first.next).await?);
    Ok(listed)
}

/// Returns the keys of the pages after `after`.
async fn rest(scan: &dyn Scan, prefix: &str, mut after: Option<Cursor>) -> Outcome<Vec<String>> {
    let mut listed = Vec::new();
    for _ in 0..1_000 {
        let Some(cursor) = after else {
            return Ok(listed);
        };
        let page = scan.page(prefix, Some(&cursor), 10).await?;
        listed.extend(page.keys);
        after = page.next;
    }
    Err(Violation::new("a scan: expected an end, got 1,000 pages"))
}
