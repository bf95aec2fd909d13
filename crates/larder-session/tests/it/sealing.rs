//! Values that are encrypted in the store.

use http::StatusCode;
use larder_session::{PlaintextValues, SealingKeys};
use larder_test::server::Reply as Answer;

use crate::support::{Browser, Site, Time, World, on_both_stores};

fn site(world: &World, keys: SealingKeys) -> Site {
    World::site_of(world.sessions().with_sealing(keys))
}

fn key(number: u8) -> SealingKeys {
    SealingKeys::new(number, [number; 32])
}

on_both_stores! { Manual;
    async fn sealed_values_do_all_that_readable_ones_do(world: World) {
        let (site, browser) = (site(&world, key(1)), Browser::new());
        // Before there is a session, in the one that begins, and after a new id and a sign-in.
        for path in ["/set/a/1", "/rotate", "/log-in/ada/phone", "/rotate"] {
            browser.read(&site, path).await;
            assert_eq!(browser.read(&site, "/get/a").await, "1", "{path}");
        }
        assert!(browser.read(&site, "/devices").await.ends_with(" phone\n"));
        assert_eq!(browser.read(&site, "/update").await, "1");
        assert_eq!(browser.read(&site, "/update").await, "2");
        assert_eq!(browser.read(&site, "/choose/7").await, "[7]");
        browser.read(&site, "/say/hello").await;
        assert_eq!(browser.read(&site, "/hear").await, "info: hello");
        browser.read(&site, "/flash/once").await;
        assert_eq!(browser.read(&site, "/show-flash").await, "once");
        assert_eq!(browser.read(&site, "/show-flash").await, "");
        assert_eq!(browser.read(&site, "/take-now/a").await, "1");
        assert_eq!(browser.read(&site, "/get/a").await, "");
        // What a visitor left before the sign-in, and what is left after the sign-out.
        let visitor = Browser::new();
        visitor.read(&site, "/log-in/grace/tablet").await;
        assert!(visitor.read(&site, "/devices").await.contains("tablet"));
        visitor.read(&site, "/log-out-and-say").await;
        assert_eq!(visitor.read(&site, "/hear").await, "info: bye");
    }

    async fn a_counter_is_counted_and_another_field_must_be_declared_one(world: World) {
        let (site, browser) = (site(&world, key(1)), Browser::new());
        assert_eq!(browser.read(&site, "/visit").await, "1");
        assert_eq!(browser.read(&site, "/visit").await, "2");
        let reply = browser.get(&site, "/add/1").await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(reply.body.contains("SessionKey::as_counter"), "{}", reply.body);
    }

    async fn old_keys_open_new_ones_seal_and_a_removed_one_leaves_a_miss(world: World) {
        let (before, browser) = (site(&world, key(1)), Browser::new());
        browser.read(&before, "/set/a/old").await;
        browser.read(&before, "/set/b/kept").await;
        let rotated = site(&world, key(2).with_additional(1, [1; 32]));
        assert_eq!(browser.read(&rotated, "/get/a").await, "old");
        browser.read(&rotated, "/set/a/new").await;
        assert_eq!(browser.read(&rotated, "/get/b").await, "kept");
        let after = site(&world, key(2));
        assert_eq!(browser.read(&after, "/get/a").await, "new");
        for path in ["/get/b", "/take-now/b"] {
            assert_eq!(browser.read(&after, path).await, "", "{path}");
        }
        // A miss loses nothing: a process with the key can still read it.
        assert_eq!(browser.read(&rotated, "/get/b").await, "kept");
        // The wrong key under the right number, and no key at all.
        for other in [site(&world, SealingKeys::new(2, [9; 32])), world.site()] {
            assert_eq!(browser.read(&other, "/get/a").await, "");
        }
        browser.read(&after, "/set/b/again").await;
        assert_eq!(browser.read(&after, "/get/b").await, "again");
    }

    async fn sealing_is_turned_on_without_losing_a_field(world: World) {
        let with = |readable| {
            let sessions = world.sessions().with_sealing(key(1));
            World::site_of(sessions.with_plaintext_values(readable))
        };
        let (plain, first) = (world.site(), with(PlaintextValues::Write));
        let (second, last) = (with(PlaintextValues::Read), with(PlaintextValues::Refuse));
        let browser = Browser::new();
        browser.read(&plain, "/set/a/1").await;
        browser.read(&plain, "/visit").await;
        // While some processes know no keys, all read what any of them writes.
        assert_eq!(browser.read(&first, "/get/a").await, "1");
        browser.read(&first, "/set/b/2").await;
        assert_eq!(browser.read(&plain, "/get/b").await, "2");
        // While some write readable values, all read both.
        browser.read(&second, "/set/b/3").await;
        for site in [&first, &second] {
            assert_eq!(browser.read(site, "/get/a").await, "1");
            assert_eq!(browser.read(site, "/get/b").await, "3");
        }
        assert_eq!(browser.read(&last, "/get/b").await, "3");
        assert_eq!(browser.read(&last, "/get/a").await, "", "it was never sealed");
        assert_eq!(browser.read(&last, "/visit").await, "2");
    }
}

/// All bytes of the sessions in a server.
fn dump(world: &World) -> Vec<u8> {
    let server = world.server.as_ref().unwrap();
    let Answer::Array(keys) = server.command(&["KEYS", "session:*"]).unwrap() else {
        panic!("no list")
    };
    let mut held = Vec::new();
    for key in keys {
        let key = key.text().unwrap().into_owned();
        let Answer::Bulk(bytes) = server.command(&["GET", &key]).unwrap() else {
            panic!("no text")
        };
        held.extend_from_slice(&bytes);
    }
    held
}

#[tokio::test]
async fn a_dump_of_the_store_holds_no_sealed_value() {
    let world = World::redis(Time::Real).await;
    let (site, browser) = (site(&world, key(1)), Browser::new());
    browser.read(&site, "/set/a/canary").await;
    browser.read(&site, "/log-in/ada/canary").await;
    browser.read(&site, "/say/canary").await;
    browser.read(&site, "/update").await;
    let held = dump(&world);
    let contains = |text: &[u8]| held.windows(text.len()).any(|bytes| bytes == text);
    assert!(contains(b"larder.flashes"), "the names stay readable");
    assert!(!contains(b"canary"));
    assert!(!contains(b"count\0"), "a number is sealed too");
}

/// As somebody who may write to the store can do it.
#[tokio::test]
async fn a_value_that_was_moved_to_another_session_or_changed_is_a_miss() {
    let world = World::redis(Time::Real).await;
    let server = world.server.as_ref().unwrap();
    let (site, ada, grace) = (site(&world, key(1)), Browser::new(), Browser::new());
    ada.read(&site, "/set/a/of-ada").await;
    grace.read(&site, "/set/a/of-grace").await;
    let [from, to] = [&ada, &grace].map(|browser| format!("session:{{{}}}", browser.record()));
    // The other session's bytes, with the hash of one's own secret.
    let graft = "local one, other = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]) \
                 local all = string.sub(one, 1, 1) .. string.sub(other, 2, 33) .. string.sub(one, 34) \
                 return redis.call('SET', KEYS[2], all, 'KEEPTTL')";
    server.command(&["EVAL", graft, "2", &from, &to]).unwrap();
    assert_eq!(grace.read(&site, "/get/a").await, "");
    let last = "local one = redis.call('GET', KEYS[1]) \
                local byte = string.char((string.byte(one, -1) + 1) % 256) \
                return redis.call('SET', KEYS[1], string.sub(one, 1, -2) .. byte, 'KEEPTTL')";
    assert_eq!(ada.read(&site, "/get/a").await, "of-ada");
    server.command(&["EVAL", last, "1", &from]).unwrap();
    assert_eq!(ada.read(&site, "/get/a").await, "");
    // It can be written again.
    ada.read(&site, "/set/a/new").await;
    assert_eq!(ada.read(&site, "/get/a").await, "new");
}
