//! The page of errors has each variant of each public error, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::pages::root;

/// Where the documentation of an error links to.
const PAGE: &str = "https://github.com/larder-rs/larder/blob/main/docs/errors.md#";

/// The variants of an enum that a source has, each after the name of its enum.
fn variants(source: &str, found: &mut BTreeSet<String>) {
    let is_error = |name: &&str| {
        let ends = ["Error", "ErrorKind", "Refusal"];
        ends.iter().any(|end| name.ends_with(end))
    };
    let parts: Vec<_> = source.split("\npub enum ").collect();
    for pair in parts.windows(2) {
        let [before, enumeration] = pair else {
            unreachable!()
        };
        let name = enumeration.split([' ', '<']).next().filter(is_error);
        let body = enumeration.split("\n}").next().unwrap_or_default();
        let Some(name) = name else { continue };
        let docs = before.rsplit("\n\n").next().unwrap_or_default();
        leads_to_its_part(name, docs);
        for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
            if line.starts_with(|c: char| c.is_ascii_uppercase()) {
                let variant = line.split([' ', '(', ',', '{']).next().unwrap();
                found.insert(format!("{name} {variant}"));
            }
        }
    }
}

/// Panics unless the documentation of an error links to the part of the page that has it.
fn leads_to_its_part(name: &str, docs: &str) {
    let (_, link) = docs.split_once(PAGE).unwrap_or_else(|| {
        panic!("the documentation of {name} links to no part of {PAGE}");
    });
    let part = link.split(')').next().unwrap().replace('-', " ");
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let page = page.to_lowercase();
    let mut parts = page
        .split("\n## ")
        .filter(|it| it.lines().next() == Some(&part));
    let section = format!("\n### {} ", name.to_lowercase());
    let is_there = parts.next().is_some_and(|it| it.contains(&section));
    assert!(is_there, "{name} links to '{part}', where it is not");
}

fn read_all(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, found);
        } else if path.ends_with("larder-response-cache/src/engine/refusal.rs") {
            // Reasons for `Cache-Status`, and not an error.
        } else if path.extension().is_some_and(|it| it == "rs") {
            variants(&fs::read_to_string(&path).unwrap(), found);
        }
    }
}

#[test]
fn the_page_of_errors_has_a_section_for_each_public_error() {
    let root = root();
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let path = entry.unwrap().path();
        // Errors of the harness are for tests alone.
        if !path.ends_with("larder-test") {
            read_all(&path.join("src"), &mut there);
        }
    }
    assert!(there.len() > 30, "{there:?}");
    let page = fs::read_to_string(root.join("docs/errors.md")).unwrap();
    let sections = page.lines().filter_map(|line| line.strip_prefix("### "));
    let sections: BTreeSet<_> = sections.map(str::to_owned).collect();
    assert_eq!(sections, there);
}
