//! What each server and process carries and holds, worked out of what was measured.

use super::table::{NONE, Table, Tables, number, rate};

/// The cores of the app that the page reckons with.
const CORES: f64 = 4.0;
/// The bytes a second that TCP carries over 1 Gbit/s: of 1,538 on the wire, 1,448 are payload.
const NETWORK: f64 = 117e6;

/// Adds the tables that are worked out from the measured ones, by the formulas of the page.
pub(super) fn add_derived(tables: &mut Tables) {
    if let Some(table) = tables.get("capacity-memory") {
        let mut carried = Table::new(&["operation", "one core of the app carries"]);
        for row in &table.rows {
            let app = number(&row[1]).expect("a number");
            carried.rows.push(vec![row[0].clone(), a_second(app)]);
        }
        tables.insert("carried-memory", carried);
    }
    if let Some(table) = tables.get("capacity-redis") {
        let heads = [
            "operation",
            "one core of the app",
            "one shard",
            "1 Gbit/s",
            "bottleneck",
        ];
        let mut carried = Table::new(&heads);
        for row in &table.rows {
            let [app, server, sent, received] =
                [1, 2, 3, 4].map(|column| number(&row[column]).expect("a number"));
            let network = sent.max(received) * 1e6 / NETWORK;
            let shares = [
                (app / CORES, "the app"),
                (server, "the shard"),
                (network, "the network"),
            ];
            let most = shares
                .into_iter()
                .max_by(|(one, _), (other, _)| one.total_cmp(other));
            let bottleneck = most.map_or("", |(_, what)| what).to_owned();
            carried.rows.push(vec![
                row[0].clone(),
                a_second(app),
                a_second(server),
                a_second(network),
                bottleneck,
            ]);
        }
        tables.insert("carried-redis", carried);
    }
    if let Some(table) = tables.get("bytes") {
        let mut held = Table::new(&["entry", "where", "bytes", "in 1 GB"]);
        for row in &table.rows {
            let bytes = number(&row[2]).expect("a number");
            held.rows.push(vec![
                row[0].clone(),
                row[1].clone(),
                row[2].clone(),
                rate(1e9 / bytes),
            ]);
        }
        tables.insert("held", held);
    }
}

/// How often something that takes so many microseconds happens in a second, if it happens at all.
fn a_second(micros: f64) -> String {
    match micros > 0.0 {
        true => rate(1e6 / micros),
        false => NONE.to_owned(),
    }
}
