use super::link;

/// Links to other pages of the catalogue: the first, the last, and those near this one.
pub(super) struct Pager {
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Here(u32),
    Page { number: u32, link: String },
    Gap,
}

impl Pager {
    pub(super) fn new(page: u32, pages: u32, q: &str, genre: Option<&str>) -> Self {
        let link = |number| link::catalogue(q, genre, number);
        let mut steps = Vec::new();
        let mut last = 0;
        for number in near(page, pages) {
            if number > last + 1 {
                steps.push(Step::Gap);
            }
            steps.push(if number == page {
                Step::Here(number)
            } else {
                Step::Page {
                    number,
                    link: link(number),
                }
            });
            last = number;
        }
        Self {
            previous: (page > 1).then(|| link(page - 1)),
            next: (page < pages).then(|| link(page + 1)),
            steps,
        }
    }
}

/// The numbers that are shown, ascending; a gap of one page is filled with that page.
fn near(page: u32, pages: u32) -> impl Iterator<Item = u32> {
    let from = page.saturating_sub(1);
    let from = if from <= 3 { 1 } else { from };
    let to = page + 1;
    let to = if to + 2 >= pages { pages } else { to };
    let first = (from > 1).then_some(1);
    let last = (to < pages).then_some(pages);
    first.into_iter().chain(from..=to).chain(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: u32, pages: u32) -> String {
        let steps = Pager::new(page, pages, "", None).steps;
        let steps = steps.iter().map(|step| match step {
            Step::Here(number) => format!("[{number}]"),
            Step::Page { number, .. } => number.to_string(),
            Step::Gap => "…".to_owned(),
        });
        steps.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_first_the_last_and_the_near_pages_are_shown() {
        assert_eq!(shown(1, 1), "[1]");
        assert_eq!(shown(1, 2), "[1] 2");
        assert_eq!(shown(1, 134), "[1] 2 … 134");
        assert_eq!(shown(4, 134), "1 2 3 [4] 5 … 134");
        assert_eq!(shown(5, 134), "1 … 4 [5] 6 … 134");
        assert_eq!(shown(131, 134), "1 … 130 [131] 132 133 134");
        assert_eq!(shown(134, 134), "1 … 133 [134]");
    }

    #[test]
    fn the_first_page_has_no_previous_and_the_last_no_next() {
        let first = Pager::new(1, 3, "x", None);
        assert_eq!(
            (first.previous, first.next.as_deref()),
            (None, Some("/?q=x&page=2"))
        );
        let last = Pager::new(3, 3, "", None);
        assert_eq!(
            (last.previous.as_deref(), last.next),
            (Some("/?page=2"), None)
        );
    }
}
