//! The transcript on the page of an example: commands, and what they print.

use std::path::Path;

/// A command after a `$`, and the lines below it.
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) prints: Vec<String>,
}

/// The steps that the first comment of a program shows; its path is within `examples/`.
pub(crate) fn of(program: &str) -> Vec<Step> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
    let source = std::fs::read_to_string(source).unwrap();
    let page = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut steps: Vec<Step> = Vec::new();
    let mut is_inside = false;
    for line in page.map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        if line.starts_with("```") {
            is_inside = !is_inside;
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                prints: Vec::new(),
            });
        } else if is_inside && let Some(step) = steps.last_mut() {
            step.prints.push(line.to_owned());
        }
    }
    assert!(!steps.is_empty(), "the page of {program} shows no command");
    steps
}

impl Step {
    /// Panics unless this is what was printed; `…` stands for anything within a line.
    pub(crate) fn expect(&self, printed: &str) {
        let lines: Vec<_> = printed.lines().collect();
        let is_same = lines.len() == self.prints.len()
            && (lines.iter().zip(&self.prints)).all(|(line, shown)| is_like(line, shown));
        assert!(
            is_same,
            "{}\nprints {lines:?}\nshown: {:?}",
            self.command, self.prints
        );
    }
}

fn is_like(line: &str, shown: &str) -> bool {
    match shown.split_once('…') {
        Some((start, end)) => {
            line.len() > start.len() + end.len() && line.starts_with(start) && line.ends_with(end)
        }
        None => line == shown,
    }
}

#[test]
fn an_ellipsis_stands_for_something_within_a_line_and_for_nothing_else() {
    assert!(is_like("ttl=59", "ttl=…"));
    assert!(is_like("ttl=60", "ttl=60"));
    assert!(!is_like("ttl=", "ttl=…"));
    assert!(!is_like("hit; ttl=59", "ttl=…"));
    assert!(!is_like("ttl=59", "ttl=60"));
}
