//! The template of the starter: each combination of its choices compiles, and the starter is one of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use larder::Namespace;
use larder_examples::template::{CHOICES, STARTER, render};

/// Each combination, as it is rendered when this test is built. A program that does not compile fails here.
#[allow(dead_code, reason = "they are compiled, and not run")]
mod combinations {
    include!(concat!(env!("OUT_DIR"), "/combinations.rs"));
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap()
}

fn template(file: &str, combination: u32) -> String {
    let text = read(&format!("examples/starter/template/{file}.liquid"));
    render(&text, "starter", "../larder", combination)
}

#[test]
fn the_starter_is_its_template_with_all_but_the_queue() {
    let rendered = template("src/main.rs", STARTER);
    let hint = "run './scripts/template'";
    assert_eq!(rendered, read("examples/starter/src/main.rs"), "{hint}");
}

#[test]
fn the_starter_has_at_most_200_lines() {
    let lines = read("examples/starter/src/main.rs").lines().count();
    assert!(lines <= 200, "{lines}");
}

#[test]
fn a_service_of_any_name_has_a_namespace() {
    let text = read("examples/starter/template/src/main.rs.liquid");
    for (name, app) in [
        ("starter", "starter"),
        ("Box-Office_2", "box-office_2"),
        (
            "a-service-whose-name-is-longer-than-a-namespace",
            "a-service-whose-name-is-longer-t",
        ),
    ] {
        let program = render(&text, name, "../larder", STARTER);
        let (_, named) = program
            .split_once("Namespace::new(&environment, \"")
            .unwrap();
        let (named, _) = named.split_once('"').unwrap();
        assert_eq!(named, app);
        assert!(Namespace::new("development", named).is_ok(), "{named}");
    }
}

#[test]
fn the_template_asks_for_each_choice_that_it_makes() {
    let asked = read("examples/starter/template/cargo-generate.toml");
    let asked = asked
        .lines()
        .filter_map(|line| line.strip_prefix("[placeholders."));
    let asked: Vec<_> = asked.map(|it| it.trim_end_matches(']')).collect();
    assert_eq!(asked, [&["larder"], &CHOICES[..]].concat());
}

#[test]
fn each_combination_of_the_template_enables_the_features_that_it_uses() {
    for combination in 0..1 << CHOICES.len() {
        let program = template("src/main.rs", combination);
        let mut used = BTreeSet::from(["axum".to_owned(), "moka".to_owned()]);
        for module in ["cache", "queue", "rate_limit", "response_cache", "session"] {
            if program.contains(&format!("use larder::{module}::")) {
                used.insert(module.replace('_', "-"));
            }
        }
        let redis = CHOICES.iter().position(|it| *it == "redis").unwrap();
        if combination & (1 << redis) != 0 {
            used.insert("redis".to_owned());
        }
        let manifest = template("Cargo.toml", combination);
        let (_, features) = manifest.split_once("features = [\n").unwrap();
        let features = features.lines().take_while(|line| *line != "]");
        let features = features.map(|line| line.trim().trim_matches([',', '"']).to_owned());
        assert_eq!(features.collect::<BTreeSet<_>>(), used, "{program}");
        let has_serde = program.contains("serde::");
        assert_eq!(manifest.contains("\nserde = "), has_serde, "{program}");
    }
}

#[test]
fn the_template_and_the_starter_name_the_same_versions_and_features() {
    let dependencies = |text: &str, table: &str| {
        let (_, lines) = text.split_once(&format!("[{table}]\n")).unwrap();
        let lines = lines.split("\n[").next().unwrap().lines();
        let named = lines.filter(|line| !line.starts_with("larder"));
        let named =
            named.filter_map(|line| line.split_once(".workspace").or(line.split_once(" = ")));
        let pairs = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
        pairs.collect::<Vec<_>>()
    };
    let shared = dependencies(&read("Cargo.toml"), "workspace.dependencies");
    let starter = dependencies(&read("examples/starter/Cargo.toml"), "dependencies");
    let rendered = dependencies(&template("Cargo.toml", STARTER), "dependencies");
    assert_eq!(starter.len(), rendered.len());
    for ((name, here), (same, there)) in starter.iter().zip(&rendered) {
        assert_eq!(name, same);
        let Some((_, value)) = shared.iter().find(|(it, _)| it == name) else {
            assert_eq!(here, there, "{name}");
            continue;
        };
        // What the workspace says of it, and what the starter adds.
        let version = value.split('"').nth(1).unwrap();
        assert!(
            there.contains(&format!("version = \"{version}\"")),
            "{name}: {there}"
        );
        let features = [value, here].map(|it| it.split_once("features = [").map_or("", |it| it.1));
        let added = features
            .iter()
            .flat_map(|it| it.split('"').skip(1).step_by(2));
        for feature in added {
            assert!(there.contains(&format!("\"{feature}\"")), "{name}: {there}");
        }
        let is_lean = [value, here]
            .iter()
            .any(|it| it.contains("default-features = false"));
        assert_eq!(
            there.contains("default-features = false"),
            is_lean,
            "{name}"
        );
    }
}
