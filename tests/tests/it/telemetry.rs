//! Every metric that is made anywhere is described, and every histogram has buckets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Keeps the names that are described.
#[derive(Clone, Default)]
struct Described {
    all: Arc<Mutex<BTreeSet<String>>>,
    histograms: Arc<Mutex<BTreeSet<String>>>,
}

impl Described {
    fn note(&self, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        let name = name.as_str().to_owned();
        assert!(unit.is_some() && !text.is_empty(), "{name} has no unit");
        self.all.lock().unwrap().insert(name);
    }
}

impl Recorder for Described {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        assert!(name.as_str().ends_with("_total"), "{name:?} is a counter");
        self.note(&name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.note(&name, unit, &text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        let has_unit = ["_seconds", "_bytes"]
            .iter()
            .any(|it| name.as_str().ends_with(it));
        assert!(has_unit, "{name:?} does not name its unit");
        self.histograms
            .lock()
            .unwrap()
            .insert(name.as_str().to_owned());
        self.note(&name, unit, &text);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn described() -> Described {
    let described = Described::default();
    metrics::with_local_recorder(&described, larder::describe_metrics);
    described
}

/// The names of metrics in the sources of the libraries: a literal that is nothing else.
fn names_in_sources() -> BTreeSet<String> {
    let mut sources = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    for entry in fs::read_dir(root).unwrap() {
        read_all(&entry.unwrap().path().join("src"), &mut sources);
    }
    let literals = sources.split('"').skip(1).step_by(1);
    let is_name = |text: &&str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        text.starts_with("larder_") && text.matches('_').count() > 1 && text.bytes().all(plain)
    };
    literals.filter(is_name).map(str::to_owned).collect()
}

fn read_all(folder: &Path, into: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_metric_in_the_sources_is_described_with_its_unit() {
    let described = described().all.lock().unwrap().clone();
    let named = names_in_sources();
    let missing: Vec<_> = named.difference(&described).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
    assert!(named.len() > 60, "{}", named.len());
    let unknown: Vec<_> = described.difference(&named).collect();
    assert!(
        unknown.is_empty(),
        "described, and in no source: {unknown:?}"
    );
}

#[test]
fn every_histogram_has_buckets_so_that_it_is_no_summary() {
    let histograms = described().histograms.lock().unwrap().clone();
    let named: BTreeSet<_> = larder::buckets()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(histograms, named);
    for (name, bounds) in larder::buckets() {
        assert!(bounds.is_sorted_by(|one, next| one < next), "{name}");
        assert!(bounds.len() >= 5, "{name}");
    }
}

fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(path);
    fs::read_to_string(path).unwrap()
}

/// The names of metrics in a query, without what an exporter appends to histograms.
fn names_in(query: &str) -> BTreeSet<String> {
    let is_part = |sign: char| !(sign.is_ascii_alphanumeric() || sign == '_');
    let words = query
        .split(is_part)
        .filter(|word| word.starts_with("larder_"));
    words
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

/// The rules of the page of alerts: name, query, and whether the rest is there.
fn alerts() -> Vec<(String, String)> {
    let text = page("alerts.yml");
    let (head, rules) = text.split_once("    rules:\n").unwrap();
    assert!(head.ends_with("groups:\n  - name: larder\n"), "{head}");
    let rules = rules.split("      - alert: ").skip(1).map(|rule| {
        let mut lines = rule.lines();
        let name = lines.next().unwrap().to_owned();
        let expr = lines
            .next()
            .and_then(|line| line.strip_prefix("        expr: '"));
        let expr = expr.and_then(|expr| expr.strip_suffix('\'')).unwrap();
        assert!(!expr.contains('\''), "{name}: a quote ends the text");
        let rest: Vec<_> = lines.collect();
        for (line, start) in rest.iter().zip([
            "        for: ",
            "        labels:",
            "          severity: ",
            "        annotations:",
            "          summary: '",
            "          runbook: docs/operations.md#",
        ]) {
            assert!(line.starts_with(start), "{name}: {line}");
        }
        assert_eq!(rest.len(), 6, "{name}");
        (name, expr.to_owned())
    });
    rules.collect()
}

#[test]
fn every_alert_asks_for_metrics_that_exist_and_has_a_section_about_what_to_do() {
    let described = described().all.lock().unwrap().clone();
    let operations = page("operations.md");
    let alerts = alerts();
    assert!(alerts.len() >= 12);
    for (name, expr) in &alerts {
        let names = names_in(expr);
        assert!(
            !names.is_empty() && names.is_subset(&described),
            "{name}: {names:?}"
        );
        let opened = expr.matches('(').count();
        assert_eq!(opened, expr.matches(')').count(), "{name}: {expr}");
        assert!(
            operations.contains(&format!("\n### {name}\n")),
            "{name} has no section"
        );
    }
    let sections = operations.matches("\n### Larder").count();
    assert_eq!(sections, alerts.len(), "a section without an alert");
}

#[test]
fn every_panel_of_the_dashboard_asks_for_metrics_that_exist() {
    let described = described().all.lock().unwrap().clone();
    let dashboard: serde_json::Value = serde_json::from_str(&page("grafana/larder.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = &panel["title"];
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{title}: an id twice"
        );
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let names = names_in(target["expr"].as_str().unwrap());
            assert!(
                !names.is_empty() && names.is_subset(&described),
                "{title}: {names:?}"
            );
        }
    }
    assert!(panels.len() > 20);
}
