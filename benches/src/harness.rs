//! Measures contenders side by side: interleaved rounds, medians, ratios of the same round.

use std::time::Duration;

/// How a ratio is judged.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// Our cost over the peer's is at most this.
    CostAtMost(f64),
    /// Our throughput over the peer's is at least this.
    ThroughputAtLeast(f64),
    /// Our operation takes at most so many nanoseconds.
    NanosAtMost(f64),
    /// Told, not judged.
    None,
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: Figure,
    pub(crate) peer: Figure,
    pub(crate) ratio: f64,
    pub(crate) bar: Bar,
    pub(crate) note: String,
}

/// What one contender took.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) nanos: f64,
}

/// One round of a contender: how long one operation took in it.
pub(crate) type Round<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// Runs `ours` and `peer` in turn, after a warm-up, and compares their medians.
///
/// The order changes from round to round, so that neither always runs on a warmer machine.
pub(crate) fn compare(
    what: impl Into<String>,
    rounds: usize,
    (our_name, mut ours): (&str, Round<'_>),
    (peer_name, mut peer): (&str, Round<'_>),
    bar: Bar,
) -> Row {
    ours();
    peer();
    let (mut our_nanos, mut peer_nanos, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (our, their) = if round % 2 == 0 {
            let our = ours();
            (our, peer())
        } else {
            let their = peer();
            (ours(), their)
        };
        our_nanos.push(our);
        peer_nanos.push(their);
        ratios.push(match bar {
            Bar::ThroughputAtLeast(_) => their / our,
            _ => our / their,
        });
    }
    let row = Row {
        what: what.into(),
        ours: Figure {
            name: our_name.to_owned(),
            nanos: median(our_nanos),
        },
        peer: Figure {
            name: peer_name.to_owned(),
            nanos: median(peer_nanos),
        },
        ratio: median(ratios),
        bar,
        note: String::new(),
    };
    eprintln!("{}", row.line());
    row
}

/// The time of one of `operations` operations that took `elapsed` together.
pub(crate) fn per_operation(elapsed: Duration, operations: usize) -> f64 {
    elapsed.as_nanos() as f64 / operations as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

impl Row {
    /// The same row with a remark.
    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn verdict(&self) -> (String, &'static str) {
        match self.bar {
            Bar::CostAtMost(most) => (
                format!("cost ≤ {most:.2}×"),
                if self.ratio <= most { "yes" } else { "**no**" },
            ),
            Bar::ThroughputAtLeast(least) => (
                format!("throughput ≥ {least:.2}×"),
                if self.ratio >= least { "yes" } else { "**no**" },
            ),
            Bar::NanosAtMost(most) => (
                format!("ours ≤ {most:.0} ns"),
                if self.ours.nanos <= most {
                    "yes"
                } else {
                    "**no**"
                },
            ),
            Bar::None => ("—".to_owned(), "—"),
        }
    }

    /// The row as a line of a Markdown table.
    pub(crate) fn line(&self) -> String {
        let (bar, met) = self.verdict();
        format!(
            "| {} | {}: {} | {}: {} | {:.2}× | {bar} | {met} | {} |",
            self.what,
            self.ours.name,
            shown(self.ours.nanos),
            self.peer.name,
            shown(self.peer.nanos),
            self.ratio,
            self.note,
        )
    }
}

fn shown(nanos: f64) -> String {
    if nanos < 1_000.0 {
        format!("{nanos:.0} ns")
    } else {
        format!("{:.1} µs", nanos / 1_000.0)
    }
}
