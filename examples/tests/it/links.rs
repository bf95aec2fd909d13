//! Every link and picture of a page or a README leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::pages::{pages, read, root};

/// Where the files of the repository are on the web: what a README that is read elsewhere links to.
const HERE: &str = "https://github.com/larder-rs/larder/blob/main/";

/// The pages, and the READMEs of crates and examples.
fn documents() -> Vec<String> {
    let mut found: BTreeSet<_> = pages().into_iter().collect();
    for folder in ["crates", "examples", "examples/matinee"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let readme = format!("{folder}/{name}/README.md");
            if root().join(&readme).is_file() {
                found.insert(readme);
            }
        }
    }
    assert!(found.len() > 80, "{found:?}");
    found.into_iter().collect()
}

/// The lines of a text that are not in a block of code.
fn without_code(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The targets of a text's links and pictures, in Markdown and in HTML.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (start, end) in [
        ("](", [')', ' ']),
        ("href=\"", ['"', '"']),
        ("src=\"", ['"', '"']),
        ("srcset=\"", ['"', ' ']),
    ] {
        let links = without_code(text).flat_map(|line| line.split(start).skip(1));
        found.extend(links.map(|rest| rest.split(end).next().unwrap()));
    }
    found
}

/// The anchors of a page, as its host makes them of the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = without_code(text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ => c.is_alphanumeric().then_some(c),
        });
        kept.collect()
    };
    headings.map(anchor).collect()
}

/// Says what is wrong with a link of a document, if anything is.
fn flaw(document: &str, link: &str) -> Option<String> {
    let (link, folder) = match link.strip_prefix(HERE) {
        Some(path) => (path, root()),
        None => (link, root().join(document).parent().unwrap().to_owned()),
    };
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => root().join(document),
        _ => folder.join(path),
    };
    if !target.exists() {
        return Some("there is no such file".to_owned());
    }
    let is_there = heading.is_empty() || has_anchor(&target, heading);
    (!is_there).then(|| format!("{} has no such heading", target.display()))
}

fn has_anchor(page: &Path, heading: &str) -> bool {
    anchors(&fs::read_to_string(page).unwrap()).contains(heading)
}

#[test]
fn every_link_and_picture_of_a_page_or_a_readme_leads_somewhere() {
    let mut links = 0;
    let mut flaws = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in targets(&text) {
            links += 1;
            if let Some(flaw) = flaw(&document, link) {
                flaws.push(format!("{document} links to {link}: {flaw}"));
            }
        }
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    assert!(links > 300, "{links} links");
}

#[test]
fn no_readme_links_to_a_path_that_only_rustdoc_knows() {
    for document in documents() {
        for link in targets(&read(&document)) {
            assert!(!link.contains("::"), "{document} links to {link}");
        }
    }
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = "docs/faq.md";
    for link in [
        "#using",
        "errors.md#the-store",
        "https://elsewhere.example",
        "../README.md",
    ] {
        assert_eq!(flaw(page, link), None, "{link}");
    }
    let here = |path: &str| format!("{HERE}{path}");
    assert_eq!(flaw(page, &here("docs/errors.md")), None);
    for link in [
        "#abusing",
        "errors.md#the-shop",
        "eros.md",
        &here("docs/eros.md"),
    ] {
        assert!(flaw(page, link).is_some(), "{link}");
    }
    let html = "<a href=\"one\"><source srcset=\"two 2x\"><img src=\"three\"></a> [four](five)";
    assert_eq!(targets(html), ["five", "one", "three", "two"]);
    assert_eq!(
        anchors("# A page: `x_y`, of 2\n```sh\n# no\n```"),
        ["a-page-x_y-of-2".to_owned()].into()
    );
}
