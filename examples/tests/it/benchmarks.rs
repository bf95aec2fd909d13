//! The pages of benchmarks show the same figures in their tables, charts and conclusions.

use std::collections::HashMap;

use crate::pages::{read, root};

const PAGES: [&str; 2] = ["docs/benchmarks.md", "docs/capacity.md"];

/// The tables of a page that the benchmarks write, by their names: the heads and the rows of cells.
fn tables(page: &str) -> HashMap<String, Vec<Vec<String>>> {
    let text = read(page);
    let parts = text.split("<!-- rows: ").skip(1).map(|part| {
        let (name, rest) = part.split_once(" -->").unwrap();
        let (rows, _) = rest.split_once("<!-- end -->").unwrap();
        let lines = rows.lines().filter(|line| line.starts_with('|'));
        let cells = |line: &str| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        };
        let mut rows: Vec<Vec<String>> = lines.map(cells).collect();
        assert!(rows.len() > 2, "{page} has no rows of {name}: measure them");
        // The line between the heads and the rows.
        rows.remove(1);
        (name.to_owned(), rows)
    });
    parts.collect()
}

#[test]
fn every_chart_shows_the_rows_of_its_table_in_light_and_dark() {
    let page = read(PAGES[0]);
    let tables = tables(PAGES[0]);
    let mut pictures: Vec<_> = std::fs::read_dir(root().join("docs/images"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("bench-"))
        .collect();
    for (name, rows) in tables.iter().filter(|(name, _)| *name != "peers") {
        let lines: Vec<_> = rows.iter().map(|cells| cells.join("; ")).collect();
        let shown = format!("<desc>{}</desc>", lines.join("\n"));
        for scheme in ["light", "dark"] {
            let file = format!("bench-{name}-{scheme}.svg");
            assert!(page.contains(&format!("\"images/{file}\"")), "no {file}");
            let picture = read(&format!("docs/images/{file}"));
            assert!(picture.contains(&shown), "{file} is of other rows");
            // Each contender has a line for its throughput, its p99 and its p50, with a point for each row.
            if name != "bytes" {
                let contenders = if name.ends_with("redis") { 3 } else { 2 };
                let lines = picture.split("<polyline").skip(1);
                let lines = lines.filter_map(|line| line.split("points=\"").nth(1));
                let points =
                    lines.map(|line| line.split('"').next().unwrap().trim().split(' ').count());
                let points: Vec<_> = points.filter(|points| *points > 2).collect();
                let steps = (rows.len() - 1) / contenders;
                assert_eq!(points, vec![steps; 3 * contenders], "the lines of {file}");
            }
            pictures.retain(|picture| *picture != file);
        }
    }
    assert_eq!(pictures, [""; 0], "pictures of no table");
}

#[test]
fn what_is_carried_and_held_follows_from_what_was_measured() {
    let (benchmarks, capacity) = (tables(PAGES[0]), tables(PAGES[1]));
    let number = |cell: &String| cell.replace(',', "").parse::<f64>().unwrap();
    let follows = |cell: &String, exact: f64, what: &str| {
        // Figures are rounded to three digits.
        assert!(
            (number(cell) / exact - 1.0).abs() < 0.006,
            "{what}: {cell} is not {exact}"
        );
    };
    for place in ["redis", "memory"] {
        let measured = &capacity[&format!("capacity-{place}")];
        let carried = &capacity[&format!("carried-{place}")];
        assert_eq!(measured.len(), carried.len());
        for (measured, carried) in measured.iter().zip(carried).skip(1) {
            let what = &measured[0];
            assert_eq!(what, &carried[0]);
            follows(&carried[1], 1e6 / number(&measured[1]), what);
            if place == "redis" {
                let bytes = number(&measured[3]).max(number(&measured[4]));
                // What TCP carries in a microsecond over 1 Gbit/s.
                let network = bytes / 117.0;
                let shares = [
                    (number(&measured[1]) / 4.0, "the app"),
                    (number(&measured[2]), "the shard"),
                    (network, "the network"),
                ];
                for (cell, (share, _)) in carried[2..4].iter().zip(&shares[1..]) {
                    match *share > 0.0 {
                        true => follows(cell, 1e6 / share, what),
                        false => assert_eq!(cell, "—", "{what}"),
                    }
                }
                let binds = shares
                    .into_iter()
                    .max_by(|one, other| one.0.total_cmp(&other.0));
                assert_eq!(carried[4], binds.unwrap().1, "{what}");
            }
        }
    }
    for (measured, held) in benchmarks["bytes"].iter().zip(&capacity["held"]).skip(1) {
        assert_eq!(measured[..3], held[..3]);
        follows(&held[3], 1e9 / number(&held[2]), &held[0]);
    }
}

/// The time at the end of a cell such as `Cache: 106 ns`, in microseconds.
fn micros(cell: &str) -> Option<f64> {
    let mut words = cell.rsplit(' ');
    let unit = match words.next()? {
        "ns" => 1e-3,
        "µs" => 1.0,
        _ => return None,
    };
    Some(words.next()?.parse::<f64>().ok()? * unit)
}

/// Returns whether a figure, as it is written, is a measured one that was rounded.
fn is_rounded(shown: &str, measured: f64) -> bool {
    let digits = shown.split_once('.').map_or(0, |(_, digits)| digits.len());
    let step = 10_f64.powi(-i32::try_from(digits).unwrap());
    (shown.parse::<f64>().unwrap() - measured).abs() <= step * 0.500_001
}

#[test]
fn every_figure_of_the_front_page_is_a_measured_one_that_was_rounded() {
    let measured = &tables(PAGES[0])["peers"];
    let front = read("README.md");
    let (_, costs) = front.split_once("\n## What it costs\n").unwrap();
    let rows = costs.lines().skip_while(|line| !line.starts_with("|---"));
    let rows: Vec<_> = rows
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let mut compared = 0;
    for row in &rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [what, ours, peers, _] = cells[..] else {
            panic!("four cells: {row}");
        };
        let ours = ours.strip_suffix(" µs").unwrap();
        for peer in peers.split_terminator(" µs") {
            let peer = peer.trim_start_matches(", ");
            let (name, theirs) = (
                peer.split([' ', ',']).next().unwrap(),
                peer.rsplit(' ').next().unwrap(),
            );
            let beside = measured.iter().filter(|cells| cells[2].contains(name));
            let is_there = beside.clone().any(|cells| {
                let fits = |cell, shown| micros(cell).is_some_and(|it| is_rounded(shown, it));
                fits(&cells[1], ours) && fits(&cells[2], theirs)
            });
            let rows: Vec<_> = beside.map(|cells| cells[..3].join(" | ")).collect();
            assert!(
                is_there,
                "README.md, {what}: {ours} µs beside {name}'s {theirs} µs is not a row of \
                 docs/benchmarks.md, rounded. The rows of {name} are:\n{}",
                rows.join("\n")
            );
            compared += 1;
        }
    }
    assert!(rows.len() >= 5 && compared > rows.len(), "{compared}");
}

#[test]
fn a_figure_is_rounded_to_the_digits_that_are_shown() {
    assert!(is_rounded("0.6", 0.591) && is_rounded("21", 21.4) && is_rounded("0.1", 0.106));
    assert!(!is_rounded("0.6", 0.66) && !is_rounded("21", 21.6) && !is_rounded("0.1", 0.16));
}

#[test]
fn every_benchmark_that_a_page_names_exists() {
    let main = read("benches/src/main.rs");
    let scale = read("benches/src/scale/mod.rs");
    let mut named = 0;
    for page in crate::pages::pages() {
        let text = read(&page).replace('\n', " ");
        for call in text.split("-p larder-benches -- ").skip(1) {
            let names = call.split(['`', '.', ',', '&', '#']).next().unwrap();
            let mut names = names.split_whitespace().peekable();
            let is_scale = names.next_if_eq(&"scale").is_some();
            for name in names {
                // What follows a block of code.
                if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    break;
                }
                named += 1;
                let is_there = match is_scale {
                    true => scale.contains(&format!("name: \"{name}\"")),
                    false => main.contains(&format!("(\"{name}\",")),
                };
                assert!(is_there, "{page} names no benchmark: {name}");
            }
        }
    }
    assert!(named > 8, "the pages name {named} benchmarks");
}
