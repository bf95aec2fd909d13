//! Every test and example that a page names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::front_page::{blocks, features, line};

const PAGES: [&str; 5] = [
    "CONTRIBUTING.md",
    "README.md",
    "RELEASING.md",
    "SECURITY.md",
    "examples/README.md",
];

/// Long names of other things: of axum, and in Redis' `INFO`.
const OTHERS: [&str; 3] = [
    "into_make_service_with_connect_info",
    "used_cpu_sys_main_thread",
    "used_cpu_user_main_thread",
];

/// Those of [`PAGES`], and all pages below `docs`, by their paths.
pub(crate) fn pages() -> Vec<String> {
    let mut pages: Vec<_> = PAGES.map(str::to_owned).into();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let mut sources = String::new();
    for folder in ["crates", "examples", "tests"] {
        read_all(&root().join(folder), &mut sources);
    }
    let mut named = 0;
    for page in pages() {
        for name in words(&prose(&page)).filter(|word| is_a_sentence(word)) {
            named += 1;
            // A test for both stores has its name in a table, beside its function.
            let is_there = sources.contains(&format!("fn {name}("))
                || sources.contains(&format!("    {name} / "));
            assert!(is_there, "{page} names a test that is not there: {name}");
            let is_test = !is_called(&sources, name);
            assert!(is_test, "{page} names a function that tests call: {name}");
        }
    }
    assert!(named > 50, "the pages name {named} tests");
}

/// Returns whether a function is called, which a test never is. Methods are not meant.
fn is_called(sources: &str, name: &str) -> bool {
    let call = format!("{name}(");
    sources.match_indices(&call).any(|(at, _)| {
        let before = &sources[..at];
        let is_whole = !before.ends_with(|it: char| it.is_alphanumeric() || it == '_');
        is_whole && !before.ends_with("fn ") && !before.ends_with('.')
    })
}

#[test]
fn every_example_and_crate_that_a_page_names_is_there() {
    let mut named = 0;
    for page in pages() {
        let text = read(&page);
        let words: Vec<_> = words(&text).collect();
        for pair in words.windows(2) {
            let path = match pair[0] {
                // The word that stands for any of them.
                "--example" if pair[1] == "NAME" => continue,
                "--example" => format!("examples/examples/{}", pair[1]),
                "-p" if pair[1].starts_with("larder-") => {
                    let name = pair[1].trim_start_matches("larder-");
                    let is_there = [&format!("crates/{}", pair[1]), name]
                        .iter()
                        .any(|it| root().join(it).is_dir());
                    assert!(is_there, "{page} names a package that is not there: {name}");
                    continue;
                }
                _ => continue,
            };
            named += 1;
            let files = [format!("{path}.rs"), format!("{path}/main.rs")];
            let is_there = files.iter().any(|file| root().join(file).is_file());
            assert!(is_there, "{page}: no {path}");
        }
    }
    assert!(named >= 6, "the pages name {named} examples");
}

#[test]
fn the_book_has_every_page_once() {
    let summary = read("docs/SUMMARY.md");
    let listed: Vec<_> = summary
        .split("](")
        .skip(1)
        .map(|rest| format!("docs/{}", rest.split(')').next().unwrap()))
        .collect();
    for page in pages().iter().filter(|page| page.starts_with("docs/")) {
        let lines = listed.iter().filter(|it| *it == page).count();
        let wanted = usize::from(page != "docs/SUMMARY.md");
        assert_eq!(lines, wanted, "lines of docs/SUMMARY.md for {page}");
    }
}

#[test]
fn each_migration_guide_shows_a_program_that_is_compiled_with_its_peer() {
    for page in pages().iter().filter(|it| it.starts_with("docs/migrate/")) {
        let name = page.split(['/', '.']).nth(2).unwrap().replace('-', "_");
        // That one is run beside its successor, by a test of its own.
        if name != "tower_sessions" {
            let program = read(&format!("benches/examples/guides/{name}.rs"));
            assert!(read(page).contains(&program), "{page} has another program");
        }
    }
}

#[test]
fn each_migration_guide_names_the_features_that_its_program_uses() {
    let manifest = read("crates/larder/Cargo.toml");
    let default = line(&manifest, "default = [").replace("default = [", "features = [");
    for page in pages().iter().filter(|it| it.starts_with("docs/migrate/")) {
        let text = read(page);
        let tables = blocks(&text, "toml").concat();
        let named = tables.lines().filter(|it| it.starts_with("larder = {"));
        let named = named.filter(|it| it.contains("features = ["));
        let mut there: BTreeSet<_> = named.flat_map(features).collect();
        assert!(tables.contains("\nlarder = {"), "{page} has no manifest");
        for feature in &there {
            let row = format!("\n{feature} = [");
            assert!(manifest.contains(&row), "{page}: {feature}");
        }
        there.extend(features(&default));

        let programs = [blocks(&text, "rust"), blocks(&text, "rust,ignore")].concat();
        let programs = programs.concat();
        let mut used: BTreeSet<_> = ["cache", "macros", "queue", "rate_limit"].into();
        used.extend(["response_cache", "session"]);
        used.retain(|module| programs.contains(&format!("use larder::{module}::")));
        if programs.contains("connect(\"redis://") {
            used.insert("redis");
        }
        for module in used {
            let feature = module.replace('_', "-");
            assert!(there.contains(&feature), "{page} does not name {feature}");
        }
    }
}

#[test]
fn each_name_in_the_last_column_of_a_migration_guide_is_in_the_crates() {
    let mut sources = String::new();
    read_all(&root().join("crates"), &mut sources);
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let there: BTreeSet<_> = sources.split(|c| !is_part(c)).collect();
    let mut named = 0;
    for page in pages().iter().filter(|it| it.starts_with("docs/migrate/")) {
        let text = read(page).replace("\\|", " ");
        for row in text.lines().filter(|line| line.starts_with("| ")) {
            let cell = row.trim_end_matches('|').rsplit('|').next().unwrap();
            for code in cell.split('`').skip(1).step_by(2) {
                // Texts between quotes are the app's own.
                let code: String = code.split('"').step_by(2).collect();
                for name in code.split(|c| !is_part(c)).filter(|it| it.len() > 2) {
                    let is_number = name.starts_with(|c: char| c.is_ascii_digit());
                    assert!(is_number || there.contains(name), "{page}: what is {name}?");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 200, "{named}");
}

#[test]
fn the_page_of_features_has_each_feature() {
    let page = read("docs/features.md");
    let manifest = read("crates/larder/Cargo.toml");
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    let names = features.lines().filter_map(|line| line.split_once(" = ["));
    for (name, _) in names.filter(|(name, _)| *name != "default") {
        assert!(page.contains(&format!("`{name}`")), "what does {name} add?");
        // `./scripts/features` writes it.
        assert!(page.contains(&format!("\n| `{name}`")), "no row of {name}");
    }
}

#[test]
fn the_index_has_every_example_and_a_test_runs_it() {
    let index = read("examples/README.md");
    let mut tests = String::new();
    read_all(&root().join("examples/tests/it"), &mut tests);
    let folder = root().join("examples/examples");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let row = format!("| [`{name}`](examples/{name}");
        assert!(index.contains(&row), "no row begins with {row}");
        let calls = ["play", "tell", "start", "start_with", "run"];
        let is_run = calls
            .iter()
            .any(|call| tests.contains(&format!("{call}(\"{name}\"")));
        assert!(is_run, "no test runs {name}");
    }
    for name in ["matinee", "otlp", "starter"] {
        assert!(index.contains(&format!("| [`{name}`]({name}) ")), "{name}");
    }
}

pub(crate) fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// A page without its programs.
fn prose(page: &str) -> String {
    read(page).split("\n```").step_by(2).collect()
}

/// The words of a text, without what marks code.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let marks = |c: char| c.is_whitespace() || "`,.;:()|'\"".contains(c);
    text.split(marks).filter(|it| !it.is_empty())
}

/// Returns whether a word looks like the name of a test.
fn is_a_sentence(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_other = word.starts_with("larder_") || OTHERS.contains(&word);
    word.matches('_').count() >= 4 && word.chars().all(is_plain) && !is_other
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
