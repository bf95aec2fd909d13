//! Every public future can be sent to another thread, from inside of another future too: in a spawned
//! task, an axum handler, an async trait. What is asserted here is asserted by the compiler.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use larder::cache::attributes::{Call, Removal, Settings, result_of_option};
use larder::cache::{
    Cache, Cached, DeadLetter, Found, Loader, LoaderLayer, ReadOptions, WriteBehind,
};
use larder::moka::{MokaStore, MokaStoreBuilder};
use larder::rate_limit::{Decision, KeyBy, RateLimit, RateLimitLayer, RateLimiter};
use larder::redis::{RedisStore, RedisStoreBuilder};
use larder::response_cache::{Purger, ResponseCache, ResponseCacheLayer};
use larder::session::{
    DeviceId, EndReason, FlashLevel, RequireUserLayer, RequireUserService, Session, SessionKey,
    SessionLayer, SessionService, SessionValue, Sessions, SignInOptions,
};
use larder::structures::fenced::Fenced;
use larder::structures::lock::{Lock, LockGuard, Semaphore};
use larder_layer::tags::{LoadBegin, TagChange, Tags};
use larder_layer::{Follower, StoreTimeout};
use larder_store::bus::{Bus, Channel, Mailbox, Message, SubscribeRequest, Subscription};
use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::program::{Programs, Run};
use larder_store::scan::{Cursor, Page, Scan};
use larder_store::wait::{Waiter, Waits};
use larder_store::{
    Delete, Entry, Key, Prefixed, Put, Shard, Sharded, Store, StoreExt, Timestamp, Ttl,
};
use larder_test::records::{Add, ReadTally, Tally};
use tower::Service;
use tower::util::BoxCloneSyncService;

type Request = http::Request<Body>;
type Response = http::Response<Body>;
type Inner = BoxCloneSyncService<Request, Response, Infallible>;

/// Asserts it of each future, as it is awaited inside of another one.
macro_rules! sent {
    ($($future:expr;)+) => {
        $(assert_send(async move { let _ = $future.await; });)+
    };
}

mod events;
mod limits;
mod ops;
mod queue;
mod structures;

fn assert_send<T: Send>(_: T) {}
fn send_and_sync<T: Send + Sync>() {}
fn send<T: Send>() {}
fn unpin<T: Unpin>() {}

fn stores(store: &dyn Store, [one, two]: &[Key; 2], put: &Put, delete: &Delete, ttl: Ttl) {
    sent! {
        store.get(one);
        store.put(put);
        store.delete(delete);
        store.expire(one, ttl);
        store.ttl(two);
        store.get_many(std::slice::from_ref(one));
        store.put_many(std::slice::from_ref(put));
        store.delete_many(std::slice::from_ref(delete));
    }
}

fn store_extensions(store: &MokaStore, put: &Put) {
    sent! {
        store.settle(put);
    }
}

fn programs(programs: &Arc<dyn Programs>, key: &Key, add: &Add, steps: &[(Key, Add)]) {
    sent! {
        programs.run(key, add);
        programs.run(key, &ReadTally);
        programs.run_many(steps);
        programs.inspect::<Tally>(key);
        async { programs.run_each([(key, &mut Run::new(add))]).await };
    }
}

fn leases(leases: &dyn Leases, claim: &Claim, put: &Put, fence: Fence, ttl: Ttl) {
    let key = claim.key();
    sent! {
        leases.claim(claim);
        leases.renew(key, fence, ttl);
        leases.commit(put, fence);
        leases.abandon(key, fence);
        leases.invalidate(key);
        leases.invalidate_many(std::slice::from_ref(key));
        leases.follow(key, Duration::ZERO);
    }
}

fn waiters(waits: &dyn Waits, waiter: &mut dyn Waiter, key: &Key) {
    sent! {
        waits.wait_for(key);
        waiter.next();
    }
}

fn locks(lock: &Lock, semaphore: &Semaphore, guard: LockGuard) {
    let lost = guard.lost();
    sent! {
        lock.try_lock();
        lock.lock(Duration::ZERO);
        lock.run_while_leader(|_| std::future::ready(()));
        semaphore.try_acquire();
        semaphore.acquire(Duration::ZERO);
        lost;
        guard.release();
    }
}

fn fenced(fenced: &Fenced, token: Fence, ttl: Ttl) {
    sent! {
        fenced.put("a", token, "x", ttl);
        fenced.get("a");
    }
}

fn messages(
    bus: &dyn Bus,
    channel: &Channel,
    interest: SubscribeRequest,
    heard: &mut Subscription,
) {
    sent! {
        bus.publish(channel, Bytes::new());
        bus.subscribe(interest);
        heard.next();
    }
}

fn scans(scan: &dyn Scan, after: &Cursor) {
    sent! {
        scan.page("a", Some(after), 1);
    }
}

fn caches(films: &Cache<u32, String>, loader: &mut Loader<Films, u32, String>) {
    let query = || async { Ok::<_, Infallible>(String::new()) };
    sent! {
        films.get(&7);
        films.find(&7);
        films.insert(7, String::new());
        films.remove(&7);
        films.write_through(7, query());
        films.write_around(7, query());
        films.remove_tag("films");
        films.expire_tag("films");
        films.clear();
        films.insert_with_tags(7, String::new(), ["films"]);
        films.get_or_load(&7, query);
        films.find_or_load(&7, query);
        films.find_with(&7, ReadOptions::new());
        films.find_or_load_with(&7, ReadOptions::new(), query);
        films.refresh_or_load(&7, |_| query());
        films.get_or_load_many(&[7], |_| async { Ok::<Vec<(u32, Part)>, _>(Vec::new()) });
        films.remove_many(&[7]);
        films.expire(&7);
        films.expire_many(&[7]);
        films.explain(&7);
        films.check_near(7);
        loader.call(7);
    }
    let query = || {
        (Settings::new(), async {
            Ok::<_, Infallible>(String::new())
        })
    };
    let search = || {
        (Settings::new(), async {
            result_of_option(Ok::<_, Infallible>(Some(String::new())))
        })
    };
    sent! {
        Call::new(films, &7).load(query);
        Call::new(films, &7).load_optional(search);
        Removal::begin(films, Some(7)).finish();
        Removal::begin(films, Some(7)).finish_or_log();
    }
}

fn one_value(settings: &Cached<String>) {
    let query = || async { Ok::<_, Infallible>(String::new()) };
    sent! {
        settings.get();
        settings.find();
        settings.get_or_load(query);
        settings.find_or_load(query);
        settings.find_or_load_with(ReadOptions::new(), query);
        settings.refresh_or_load(|_| query());
        settings.insert(String::new());
        settings.remove();
        settings.expire();
    }
}

type Part = Result<String, Infallible>;

fn later_writes(behind: &WriteBehind<u32, String>, letter: &DeadLetter<u32, String>) {
    let query = || async { Ok::<_, Infallible>(String::new()) };
    sent! {
        behind.write(7, String::new());
        behind.find_or_load(&7, query);
        behind.dead_letters(None, 9);
        behind.retry(&7);
        behind.discard(&7);
        behind.retry_letter(letter);
        behind.discard_letter(letter);
        behind.unwritten();
        behind.shutdown(Duration::ZERO);
    }
}

type Films = BoxCloneSyncService<u32, String, Infallible>;

fn limits(limiter: &RateLimiter, decision: Decision, key_by: &KeyBy, parts: &http::request::Parts) {
    sent! {
        key_by.key(limiter, parts);
        limiter.check("a");
        limiter.peek("a");
        limiter.refund("a", decision);
    }
}

fn waits(timeout: StoreTimeout, store: &dyn Store, (key, put): (&Key, &Put), delete: &Delete) {
    sent! {
        timeout.get(store, key);
        timeout.put(store, put);
        timeout.delete(store, delete);
        timeout.run("get", store.get(key));
        timeout.lock("get", std::future::ready(()));
    }
}

fn tags(tags: &Tags, now: Timestamp, ttl: Ttl) {
    sent! {
        tags.validity(&[], now);
        tags.note(&[], LoadBegin::after_all_changes(), ttl, now);
        tags.change(&[], TagChange::Remove, ttl);
        tags.publish(&[], TagChange::Remove);
    }
}

fn shared_work(follower: &Follower<u32>, deadline: tokio::time::Instant) {
    sent! {
        follower.outcome(deadline);
    }
}

fn purges(purger: &Purger) {
    sent! {
        purger.purge("/");
        purger.expire("/");
        purger.purge_tag("films");
        purger.expire_tag("films");
    }
}

const NAME: SessionKey<String> = SessionKey::new("name");

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Visits {
    count: u32,
}

impl SessionValue for Visits {
    const KEY: SessionKey<Self> = SessionKey::new("visits");
}

fn sessions(session: &Session, device: DeviceId) {
    sent! {
        session.get(NAME);
        session.insert(NAME, &String::new());
        session.remove(NAME);
        session.take(NAME);
        session.take_now(NAME);
        session.flash(FlashLevel::Info, "saved");
        session.take_flashes();
        session.value::<Visits>();
        session.set_value(&Visits::default());
        session.change_value(|visits: &mut Visits| visits.count += 1);
        session.increment(NAME, 1);
        session.update(NAME, Option::unwrap_or_default);
        session.save();
        session.user();
        session.require_user();
        session.log_in("ada");
        session.log_in_with("ada", SignInOptions::new());
        session.log_out();
        session.rotate();
        session.name_device("a phone");
        session.devices();
        session.revoke(device);
        session.revoke_others();
        session.revoke_others_because(EndReason::PasswordChanged);
        session.revoke_all();
        session.authentication();
        session.recent_auth(Duration::ZERO);
        session.take_end_reason();
        session.revoked();
    }
}

fn all_sessions(sessions: &Sessions, device: DeviceId) {
    sent! {
        sessions.devices("ada");
        sessions.revoke("ada", device);
        sessions.revoke_because("ada", device, EndReason::Administrator);
        sessions.revoke_all("ada");
        sessions.revoke_all_because("ada", EndReason::PasswordChanged);
        sessions.revoke_everyone();
        sessions.disable("ada");
        sessions.enable("ada");
        sessions.is_disabled("ada");
    }
}

#[test]
fn every_public_future_can_be_sent_to_another_thread() {
    // That these compile is the test; they are named so that none is left out as dead.
    let _ = stores;
    let _ = store_extensions;
    let _ = programs;
    let _ = leases;
    let _ = waiters;
    let _ = locks;
    let _ = fenced;
    let _ = messages;
    let _ = scans;
    let _ = (caches, one_value, later_writes);
    let _ = limits;
    let _ = (waits, tags);
    let _ = shared_work;
    let _ = purges;
    let _ = sessions;
    let _ = all_sessions;
    send::<<RateLimit<Inner> as Service<Request>>::Future>();
    send::<<SessionService<Inner> as Service<Request>>::Future>();
    send::<<RequireUserService<Inner> as Service<Request>>::Future>();
    send::<<ResponseCache<Inner> as Service<Request>>::Future>();
    send::<<RateLimit<Inner> as Service<Request>>::Response>();
    send::<<SessionService<Inner> as Service<Request>>::Response>();
    send::<<ResponseCache<Inner> as Service<Request>>::Response>();
    unpin::<<Loader<Films, u32, String> as Service<u32>>::Future>();
}

#[test]
fn what_an_app_shares_can_be_shared_between_threads() {
    send_and_sync::<Arc<dyn Store>>();
    send_and_sync::<Arc<dyn Programs>>();
    send_and_sync::<Arc<dyn Leases>>();
    send_and_sync::<Arc<dyn Waits>>();
    send_and_sync::<(Lock, Semaphore, LockGuard, Fenced)>();
    send_and_sync::<Arc<dyn Bus>>();
    send_and_sync::<Arc<dyn Scan>>();
    send_and_sync::<MokaStore>();
    send_and_sync::<MokaStoreBuilder>();
    send_and_sync::<RedisStore>();
    send_and_sync::<RedisStoreBuilder>();
    send_and_sync::<Prefixed<RedisStore>>();
    send_and_sync::<(Shard, Sharded)>();
    send_and_sync::<(Key, Put, Delete, Entry, Ttl, Claim, Claimed, Fence)>();
    send_and_sync::<(
        Channel,
        SubscribeRequest,
        Message,
        Cursor,
        Page,
        larder::Error,
    )>();
    send_and_sync::<Mailbox>();
    send_and_sync::<Subscription>();
    unpin::<Subscription>();
    send_and_sync::<Cache<u32, String>>();
    send_and_sync::<(Found<String>, LoaderLayer<u32, String>)>();
    send_and_sync::<Loader<Films, u32, String>>();
    send_and_sync::<(RateLimiter, RateLimitLayer, RateLimit<Inner>, Decision)>();
    send_and_sync::<(Session, Sessions, SessionLayer, SessionService<Inner>)>();
    send_and_sync::<(RequireUserLayer, RequireUserService<Inner>)>();
    send_and_sync::<larder::session::SessionError>();
    send_and_sync::<(ResponseCacheLayer, ResponseCache<Inner>, Purger)>();
}

/// The crates whose futures apps await.
const CRATES: [&str; 12] = [
    "larder",
    "larder-cache",
    "larder-events",
    "larder-layer",
    "larder-moka",
    "larder-ops",
    "larder-queue",
    "larder-rate-limit",
    "larder-response-cache",
    "larder-session",
    "larder-store",
    "larder-structures",
];

const HERE: [&str; 6] = [
    include_str!("sending.rs"),
    include_str!("sending/events.rs"),
    include_str!("sending/ops.rs"),
    include_str!("sending/limits.rs"),
    include_str!("sending/queue.rs"),
    include_str!("sending/structures.rs"),
];

#[test]
fn no_public_async_function_is_left_out_here() {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut missing = Vec::new();
    for name in CRATES {
        let sources = format!("{workspace}/crates/{name}/src");
        for (file, text) in rust_files(sources.as_ref()) {
            for found in text.split("pub async fn ").skip(1) {
                let end = found.find(['<', '(']).expect("its arguments");
                let function = &found[..end];
                let called = [".F", "::F(", "::F::<"].map(|form| form.replace('F', function));
                let calls = |text: &&str| called.iter().any(|called| text.contains(called));
                // `connect` is asserted where it is written, with the servers it connects to.
                if function != "connect" && !HERE.iter().any(calls) {
                    missing.push(format!("{file}: {function}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not asserted to be Send: {missing:#?}");
}

fn rust_files(directory: &std::path::Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).expect("a text");
            files.push((path.display().to_string(), text));
        }
    }
    files
}
