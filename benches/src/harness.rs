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
    /// Ours takes at most so many nanoseconds more than the peer's.
    AddsAtMost(f64),
    /// Ours is at most this. The figures are numbers, not times.
    NumberAtMost(f64),
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
    /// Or a number, where the bar is one of numbers.
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
    let [row] = compare_each(
        [(what.into(), bar)],
        rounds,
        (our_name, Box::new(|| [ours()])),
        (peer_name, Box::new(|| [peer()])),
    );
    row
}

/// Several figures of one round of a contender.
pub(crate) type Rounds<'a, const N: usize> = Box<dyn FnMut() -> [f64; N] + 'a>;

/// [`compare`] for rounds that yield several figures: a row for each.
pub(crate) fn compare_each<const N: usize>(
    whats: [(String, Bar); N],
    rounds: usize,
    (our_name, mut ours): (&str, Rounds<'_, N>),
    (peer_name, mut peer): (&str, Rounds<'_, N>),
) -> [Row; N] {
    ours();
    peer();
    let (mut our_rounds, mut peer_rounds) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            our_rounds.push(ours());
            peer_rounds.push(peer());
        } else {
            peer_rounds.push(peer());
            our_rounds.push(ours());
        }
    }
    let mut at = 0;
    whats.map(|(what, bar)| {
        let of = |rounds: &[[f64; N]]| rounds.iter().map(|figures| figures[at]).collect::<Vec<_>>();
        let (ours, peers) = (of(&our_rounds), of(&peer_rounds));
        at += 1;
        let ratio = |(our, peer): (&f64, &f64)| match bar {
            Bar::ThroughputAtLeast(_) => peer / our,
            _ => our / peer,
        };
        let row = Row {
            what,
            ratio: median(ours.iter().zip(&peers).map(ratio).collect()),
            ours: Figure {
                name: our_name.to_owned(),
                nanos: median(ours),
            },
            peer: Figure {
                name: peer_name.to_owned(),
                nanos: median(peers),
            },
            bar,
            note: String::new(),
        };
        eprintln!("{}: {:.2}×", row.what, row.ratio);
        row
    })
}

/// The time of one of `operations` operations that took `elapsed` together.
pub(crate) fn per_operation(elapsed: Duration, operations: usize) -> f64 {
    elapsed.as_nanos() as f64 / operations as f64
}

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
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
                format!("ours ≤ {}", shown(most)),
                if self.ours.nanos <= most {
                    "yes"
                } else {
                    "**no**"
                },
            ),
            Bar::AddsAtMost(most) => (
                format!("adds ≤ {}", shown(most)),
                if self.ours.nanos - self.peer.nanos <= most {
                    "yes"
                } else {
                    "**no**"
                },
            ),
            Bar::NumberAtMost(most) => (
                format!("ours ≤ {most:.1}"),
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
        let shown = |figure: f64| match self.bar {
            Bar::NumberAtMost(_) => format!("{figure:.2}"),
            _ => shown(figure),
        };
        format!(
            "| {} | {}: {} | {}: {} | {} | {bar} | {met} | {} |",
            self.what,
            self.ours.name,
            shown(self.ours.nanos),
            self.peer.name,
            shown(self.peer.nanos),
            times(self.ratio),
            self.note,
        )
    }
}

/// A ratio. None reads as zero.
fn times(ratio: f64) -> String {
    match ratio < 0.005 {
        true => "< 0.01×".to_owned(),
        false => format!("{ratio:.2}×"),
    }
}

/// A number of things: `1 task`, `16 tasks`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

fn shown(nanos: f64) -> String {
    if nanos < 1_000.0 {
        format!("{nanos:.0} ns")
    } else {
        format!("{:.1} µs", nanos / 1_000.0)
    }
}
