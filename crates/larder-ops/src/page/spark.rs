use std::fmt::Write;

/// The size of the drawing, in its own units.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;

/// A small chart of the last minutes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spark {
    /// The line, as the `d` of an SVG path.
    pub(super) line: String,
    /// The area below it.
    pub(super) area: String,
    /// A description, for people who cannot see it.
    pub(super) label: String,
}

impl Spark {
    /// Draws values, the newest last. None if there are fewer than two.
    pub(super) fn of(values: &[f64], about: &str) -> Option<Self> {
        let values: Vec<f64> = values
            .iter()
            .map(|it| if it.is_finite() { *it } else { 0.0 })
            .collect();
        if values.len() < 2 {
            return None;
        }
        let (low, high) = values
            .iter()
            .fold((0.0_f64, 0.0_f64), |(low, high), value| {
                (low.min(*value), high.max(*value))
            });
        let step = WIDTH / (values.len() - 1) as f64;
        let span = (high - low).max(f64::EPSILON);
        let mut line = String::new();
        for (at, value) in values.iter().enumerate() {
            let (x, y) = (
                at as f64 * step,
                1.5 + (HEIGHT - 3.0) * (high - value) / span,
            );
            let y = if high == low { HEIGHT - 1.5 } else { y };
            let sign = if at == 0 { 'M' } else { 'L' };
            // Writing to a string never fails.
            let _ = write!(line, "{sign}{x:.1} {y:.1}");
        }
        let area = format!("{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z");
        let newest = values.last().copied().unwrap_or_default();
        let label = format!(
            "{about}, last ten minutes: now {}, at most {}",
            plain(newest),
            plain(high)
        );
        Some(Self { line, area, label })
    }
}

fn plain(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_stays_within_its_drawing_whatever_it_shows() {
        for values in [
            vec![0.0, 0.0],
            vec![1.0, f64::NAN, f64::INFINITY],
            vec![-5.0, 1e300, 3.0],
            (0..121).map(f64::from).collect(),
        ] {
            let spark = Spark::of(&values, "jobs").unwrap();
            let numbers = spark
                .area
                .split(|sign: char| !(sign.is_ascii_digit() || ".-".contains(sign)));
            for number in numbers.filter(|text| !text.is_empty()) {
                let number: f64 = number.parse().unwrap();
                assert!((0.0..=WIDTH).contains(&number), "{number} of {values:?}");
            }
        }
        assert_eq!(Spark::of(&[1.0], "jobs"), None);
        let label = Spark::of(&[4.0, 2.0], "jobs").unwrap().label;
        assert_eq!(label, "jobs, last ten minutes: now 2, at most 4");
    }
}
