//! The front page: its program, and what its dependencies bring.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::example::Example;

/// Shorter than a delayed acknowledgement, 40 ms, for which a body waits if `TCP_NODELAY` is not set.
const PAUSE: Duration = Duration::from_millis(30);

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// The features that a line of a manifest names.
fn features(line: &str) -> BTreeSet<String> {
    let (_, list) = line.split_once("features = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let names = list.split(',').map(|name| name.trim().trim_matches('"'));
    names.map(str::to_owned).collect()
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no line begins with {start}"))
}

#[test]
fn the_dependencies_of_the_front_page_bring_all_that_it_shows() {
    let page = read("README.md");
    let named = features(line(&page, "larder = {"));
    // The examples, which show a layer each, are built with the same features.
    let built = read("examples/Cargo.toml");
    assert_eq!(named, features(line(&built, "larder = {")));

    // The pages in the table of layers use no other feature.
    let facade = read("crates/larder/Cargo.toml");
    let default = line(&facade, "default = [").replace("default = [", "features = [");
    let there: BTreeSet<_> = named.union(&features(&default)).cloned().collect();
    let (_, table) = page.split_once("| you want |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut used = BTreeSet::new();
    for row in table.lines().skip(2) {
        let (_, link) = row.split_once("](").unwrap();
        let text = read(link.split(')').next().unwrap());
        for (_, path) in text
            .match_indices("larder::")
            .map(|(at, it)| text.split_at(at + it.len()))
        {
            let module: String = path
                .chars()
                .take_while(|c| c.is_lowercase() || *c == '_')
                .collect();
            let feature = module.replace('_', "-");
            if facade.contains(&format!("\n{feature} = [")) {
                used.insert(feature);
            }
        }
    }
    let layers = ["cache", "rate-limit", "response-cache", "session"].map(str::to_owned);
    assert!(used.is_superset(&layers.into()), "{used:?}");
    assert!(used.is_subset(&there), "{used:?} of {there:?}");
}

#[test]
fn a_miss_of_the_program_of_the_front_page_comes_without_a_pause() {
    let example = Example::start("front_page", "memory://");
    let mut stream = TcpStream::connect(example.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut times: Vec<_> = (1..=60)
        .map(|film| {
            let asked = Instant::now();
            let request = format!("GET /films/{film} HTTP/1.1\r\nHost: a.example\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            while !answer.ends_with("loaded once") {
                let mut buffer = [0; 4 * 1024];
                let read = stream.read(&mut buffer).unwrap();
                assert_ne!(read, 0, "{answer}");
                answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            asked.elapsed()
        })
        // A new connection is acknowledged at once for a while.
        .skip(30)
        .collect();
    times.sort_unstable();
    assert!(times[times.len() / 2] < PAUSE, "{times:?}");
}
