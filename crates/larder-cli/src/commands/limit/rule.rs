//! Says in words how much of a rule is used.

/// Says how much of a rule is used at `now`, from its tag and its numbers as `InspectUsage` shows them.
///
/// None for a rule whose permits are listed one by one, and for numbers of another form.
pub(super) fn used(tag: &str, numbers: &str, now: i64) -> Option<String> {
    let numbers: Vec<i64> = numbers
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    match (tag, &numbers[..]) {
        ("g", &[tat, interval, tolerance]) if interval > 0 => {
            let left = tat.saturating_sub(now).max(0);
            let used = left.saturating_add(interval - 1) / interval;
            Some(format!("{used} of {} used", tolerance / interval))
        }
        ("w", &[_, ends, used, limit]) => {
            let used = if now < ends { used } else { 0 };
            Some(format!("{used} of {limit} used"))
        }
        ("s", &[_, this, last, limit]) => Some(format!(
            "{this} of {limit} used in the newest window, {last} in the one before"
        )),
        ("l", &[limit, used, ..]) => Some(format!("{used} of {limit} in its log")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn each_algorithm_says_what_is_used_of_its_limit() {
        for (tag, numbers, expected) in [
            ("g", "1060,30,60", Some("2 of 2 used")),
            ("g", "1001,30,60", Some("1 of 2 used")),
            ("g", "900,30,60", Some("0 of 2 used")),
            ("w", "900,1001,3,5", Some("3 of 5 used")),
            ("w", "900,1000,3,5", Some("0 of 5 used")),
            (
                "s",
                "900,2,4,5",
                Some("2 of 5 used in the newest window, 4 in the one before"),
            ),
            ("l", "5,2,900,950", Some("2 of 5 in its log")),
            ("l", "5,0,,", Some("0 of 5 in its log")),
            ("k", "", None),
            ("g", "1060,0,60", None),
            ("x", "1", None),
        ] {
            assert_eq!(
                used(tag, numbers, 1000).as_deref(),
                expected,
                "{tag} {numbers}"
            );
        }
    }
}
