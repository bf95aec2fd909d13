//! Caches.

use super::two_clients;

/// Reads the row, and what is cached of it.
const BOTH: &str = "MGET database:12 film:12";

#[test]
fn cache_aside_keeps_the_old_value_if_a_change_overtakes_the_reader() {
    let (_server, mut reader, mut writer) = two_clients();
    writer.run("SET database:12 old");
    assert_eq!(reader.text("GET film:12"), None);
    let row = reader.text("GET database:12").expect("a row");
    // The reader is slow here. The writer commits, and invalidates.
    writer.run("SET database:12 new");
    writer.run("DEL film:12");
    reader.run(&format!("SET film:12 {row} EX 300"));

    assert_eq!(writer.texts(BOTH), ["new", "old"]);
}

#[test]
fn write_through_keeps_the_value_of_the_writer_that_was_slower() {
    let (_server, mut one, mut other) = two_clients();
    one.run("SET database:12 one");
    // The other commits last, and reaches the cache first.
    other.run("SET database:12 other");
    other.run("SET film:12 other EX 300");
    one.run("SET film:12 one EX 300");

    assert_eq!(one.texts(BOTH), ["other", "one"]);
}

#[test]
fn a_list_of_writes_that_is_read_before_the_source_is_written_loses_them_with_its_process() {
    let (_server, mut app, mut worker) = two_clients();
    let mut source = Vec::new();
    app.run("RPUSH writes film:12=new film:13=new");
    source.extend(worker.text("LPOP writes"));
    // The worker pops the next write, and is killed before it has written it.
    let _lost = worker.text("LPOP writes");

    assert_eq!(app.int("LLEN writes"), 0);
    assert_eq!(source, ["film:12=new"]);
}

#[test]
fn everybody_who_finds_the_marker_of_freshness_gone_refreshes() {
    let (_server, mut one, mut other) = two_clients();
    one.run("MSET film:12 stale database:12 new queries 0");
    one.run("SET film:12:fresh yes PX 20");
    one.until_expired("film:12:fresh");
    let found = [&mut one, &mut other].map(|client| client.text("GET film:12:fresh"));
    // Each acts on what it has found, the second one after the first has refreshed.
    for (client, found) in [&mut one, &mut other].into_iter().zip(found) {
        if found.is_none() {
            client.run("INCR queries");
            let row = client.text("GET database:12").expect("a row");
            client.run(&format!("SET film:12 {row}"));
            client.run("SET film:12:fresh yes EX 60");
        }
    }
    assert_eq!(one.text("GET queries").as_deref(), Some("2"));
}

#[test]
fn a_lock_around_a_load_lets_a_slow_loader_overwrite_a_newer_value() {
    let (_server, mut slow, mut next) = two_clients();
    assert_eq!(
        slow.text("SET film:12:lock slow NX PX 20").as_deref(),
        Some("OK")
    );
    slow.run("SET database:12 old");
    let row = slow.text("GET database:12").expect("a row");
    // It takes longer than its lock, which ends. Meanwhile the row is changed.
    next.until_expired("film:12:lock");
    next.run("SET database:12 new");
    assert_eq!(
        next.text("SET film:12:lock next NX PX 1000").as_deref(),
        Some("OK")
    );
    let newer = next.text("GET database:12").expect("a row");
    next.run(&format!("SET film:12 {newer} EX 300"));
    slow.run(&format!("SET film:12 {row} EX 300"));

    assert_eq!(next.texts(BOTH), ["new", "old"]);
}

#[test]
fn a_set_of_keys_by_tag_misses_the_page_that_was_stored_during_the_purge() {
    let (_server, mut editor, mut reader) = two_clients();
    reader.run("SET page:1 old");
    reader.run("SADD tag:films page:1");
    let pages = editor.texts("SMEMBERS tag:films");
    // A page that was rendered from the old data is stored now.
    reader.run("SET page:2 old");
    reader.run("SADD tag:films page:2");
    editor.run(&format!("DEL {} tag:films", pages.join(" ")));

    assert_eq!(editor.text("GET page:2").as_deref(), Some("old"));
    assert_eq!(
        editor.int("EXISTS tag:films"),
        0,
        "no later purge finds it either"
    );
}

#[test]
fn a_pattern_with_a_text_of_a_visitor_in_it_removes_what_is_of_others() {
    let (_server, mut app, _) = two_clients();
    for key in ["cart:ada:1", "cart:bob:1", "cart:*:1"] {
        app.run(&format!("SET {key} x"));
    }
    // A visitor has signed up as '*', and signs out.
    let removed = app.texts("KEYS cart:*:*");
    app.run(&format!("DEL {}", removed.join(" ")));
    assert_eq!(app.int("EXISTS cart:ada:1 cart:bob:1"), 0);
}
