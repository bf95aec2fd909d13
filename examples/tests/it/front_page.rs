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
pub(crate) fn features(line: &str) -> BTreeSet<String> {
    let (_, list) = line.split_once("features = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let names = list.split(',').map(|name| name.trim().trim_matches('"'));
    names.map(str::to_owned).collect()
}

pub(crate) fn line<'a>(text: &'a str, start: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no line begins with {start}"))
}

/// The blocks of a page that begin with a fence such as `sh`.
pub(crate) fn blocks(page: &str, fence: &str) -> Vec<String> {
    let start = format!("```{fence}\n");
    let blocks = page.split(start.as_str()).skip(1);
    let text = blocks.map(|rest| rest.split("```").next().unwrap());
    text.map(str::to_owned).collect()
}

#[test]
fn the_dependencies_of_the_front_page_bring_all_that_its_program_uses() {
    let page = read("README.md");
    let named = features(line(&page, "larder = {"));
    // The examples, of which the program is one, are built with more.
    let built = read("examples/Cargo.toml");
    assert!(named.is_subset(&features(line(&built, "larder = {"))));

    // `./scripts/adopt` puts them into a manifest.
    let [manifest] = &blocks(&page, "toml")[..] else {
        panic!("./scripts/adopt takes one block of dependencies");
    };
    let workspace = read("Cargo.toml");
    let axum = line(manifest, "axum = ").trim_end_matches('"');
    assert!(workspace.contains(&format!("\n{axum}")), "{axum}");
    let (_, path) = line(manifest, "larder = {").split_once('"').unwrap();
    let path = path.split('"').next().unwrap().strip_prefix("../larder/");
    assert!(path.is_none_or(|it| exists(&format!("{it}/Cargo.toml"))));

    // All four layers.
    let facade = read("crates/larder/Cargo.toml");
    let default = line(&facade, "default = [").replace("default = [", "features = [");
    let there: BTreeSet<_> = named.union(&features(&default)).cloned().collect();
    let layers = ["cache", "rate-limit", "response-cache", "session"].map(str::to_owned);
    assert!(there.is_superset(&layers.into()), "{there:?}");
    let [program] = &blocks(&page, "rust,no_run")[..] else {
        panic!("./scripts/adopt builds one program");
    };
    for layer in [
        "Cache::",
        "RateLimitLayer",
        "ResponseCacheLayer",
        "SessionLayer",
    ] {
        assert!(program.contains(layer), "{layer}");
    }
}

#[test]
fn the_table_of_the_front_page_names_features_that_are_there() {
    let facade = read("crates/larder/Cargo.toml");
    let page = read("README.md");
    let (_, table) = page.split_once("| you want |").unwrap();
    let rows = table.split("\n\n").next().unwrap().lines().skip(2);
    let mut named = 0;
    for feature in rows.filter_map(|row| row.rsplit("| `").next()?.split_once('`')) {
        assert!(
            facade.contains(&format!("\n{} = [", feature.0)),
            "{}",
            feature.0
        );
        named += 1;
    }
    assert_eq!(named, 8);
}

#[test]
fn the_page_that_is_played_is_the_front_page() {
    let page = read("README.md");
    let [shown] = &blocks(&page, "text")[..] else {
        panic!("one block is played");
    };
    let played = read("examples/examples/front_page.rs");
    let played = played.lines().filter_map(|line| line.strip_prefix("//! "));
    let played = played.skip_while(|line| *line != "```text").skip(1);
    let played: Vec<_> = played.take_while(|line| *line != "```").collect();
    assert_eq!(shown.trim_end(), played.join("\n"));
}

/// Each command of the front page: those in blocks, and those between backticks.
fn commands(page: &str) -> Vec<String> {
    let lines = blocks(page, "sh").concat();
    let lines = lines.lines().map(|line| line.split("   #").next().unwrap());
    let lines = lines.flat_map(|line| line.split(" && ")).map(str::trim);
    let is_command = |it: &&str| it.starts_with("cargo ") || it.starts_with("./scripts/");
    let spans = page.split('`').skip(1).step_by(2).filter(is_command);
    lines.chain(spans).map(str::to_owned).collect()
}

#[test]
fn each_command_of_the_front_page_is_a_test_a_script_or_a_program_that_is_there() {
    let page = read("README.md");
    let (mut tests, mut proofs) = (0, 0);
    // Of the other page, only the table has nothing but such commands.
    let claims = claims("docs/guarantees.md").into_iter();
    let named = claims.flat_map(|(_, command)| commands(&command));
    for command in commands(&page).into_iter().chain(named) {
        let words: Vec<_> = command.split_whitespace().collect();
        match words[..] {
            ["cargo", "test", "-p", package, .., filter] => {
                assert!(has_test(package, filter), "no test for {command}");
                tests += 1;
            }
            ["./scripts/prove", name] => {
                let there = read("proofs/src/proof.rs");
                assert!(there.contains(&format!("name: \"{name}\"")), "{command}");
                proofs += 1;
            }
            [script, ..] if script.starts_with("./scripts/") => assert!(exists(script), "{script}"),
            [
                "cargo",
                "run",
                "--release",
                "-p",
                "larder-benches",
                "--",
                ref groups @ ..,
            ] => {
                let there = read("benches/src/main.rs");
                for group in groups {
                    assert!(there.contains(&format!("(\"{group}\", ")), "{command}");
                }
            }
            // Their own tests start them.
            ["cargo", "run", "-p", "matinee"] => assert!(exists("examples/matinee/tests")),
            ["cargo", "run"] => {}
            // Two processes on one server, as `./scripts/adopt` starts them.
            [store, listen, "cargo", "run"] => {
                assert!(store.starts_with("STORE_URL=redis://"), "{command}");
                assert!(listen.starts_with("LISTEN="), "{command}");
            }
            // What the next command needs.
            ["cargo", "install", "cargo-generate"] => {}
            // The checkout.
            ["cd", "larder"] => {}
            ["cargo", "generate", "--path", path, "--name", name] => {
                // `cargo generate` refuses a folder that is there.
                assert!(!page.contains(&format!("cargo new {name}")), "{command}");
                let path = path.strip_prefix("larder/").unwrap();
                assert!(exists(&format!("{path}/cargo-generate.toml")), "{command}");
            }
            ["git", "clone", ..] | ["cargo", "new", ..] | ["cd", _] => {
                let adopt = read("scripts/adopt");
                assert!(
                    adopt.contains(&words[..words.len().min(2)].join(" ")),
                    "{command}"
                );
            }
            _ => panic!("nothing runs {command}"),
        }
    }
    assert!(tests > 8 && proofs > 5, "{tests} tests and {proofs} proofs");
}

/// The rows of the table of claims of a page, each with what checks it.
fn claims(page: &str) -> Vec<(String, String)> {
    let page = read(page);
    let (_, table) = page.split_once("\n| claim | command |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|row| row.starts_with('|'));
    let rows = rows.map(|row| row.trim_matches('|').rsplit_once('|').unwrap());
    let rows = rows.map(|(claim, command)| (claim.trim().to_owned(), command.trim().to_owned()));
    rows.collect()
}

#[test]
fn each_claim_names_a_test_or_a_proof() {
    let (front, all) = (claims("README.md"), claims("docs/guarantees.md"));
    assert!(front.len() > 5 && all.len() > 14, "{front:?} {all:?}");
    for (claim, command) in front.iter().chain(&all) {
        let named = commands(command);
        assert!(!named.is_empty(), "nothing checks this claim: {claim}");
        let checks = |it: &String| {
            ["cargo test ", "./scripts/prove "]
                .iter()
                .any(|start| it.starts_with(start))
        };
        assert!(named.iter().all(checks), "this checks nothing: {command}");
    }
}

#[test]
fn the_claims_of_the_front_page_are_among_all_claims() {
    // Links differ, because the pages are in different folders.
    let without_links = |claim: &str| {
        let parts = claim.split("](").enumerate();
        let parts = parts.map(|(at, part)| match at {
            0 => part,
            _ => part.split_once(')').unwrap().1,
        });
        parts.collect::<String>().replace('[', "")
    };
    let all = claims("docs/guarantees.md").into_iter();
    let all: BTreeSet<_> = all
        .map(|(claim, command)| (without_links(&claim), command))
        .collect();
    for (claim, command) in claims("README.md") {
        let claim = (without_links(&claim), command);
        assert!(all.contains(&claim), "{claim:?}");
    }
}

fn exists(path: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
        .exists()
}

/// Returns whether `cargo test` finds a test or a module of tests by `filter`.
fn has_test(package: &str, filter: &str) -> bool {
    let folder = match package {
        "matinee" => "examples/matinee".to_owned(),
        "larder-examples" => "examples/tests".to_owned(),
        "larder-tests" => "tests".to_owned(),
        _ => format!("crates/{package}"),
    };
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(folder),
    ];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // A module of tests has the name of its file or folder.
            let is_module = path.file_stem().is_some_and(|it| it == filter);
            if path.is_dir() {
                folders.push(path.clone());
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            // A test for both stores has its name in a table.
            let names = [format!("fn {filter}("), format!("    {filter} / ")];
            if is_module || names.iter().any(|name| text.contains(name)) {
                return true;
            }
        }
    }
    false
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
