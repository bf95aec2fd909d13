use std::time::Duration;

/// The first pause of a polling waiter. Each pause is 1.5 times the one before.
const FIRST: Duration = Duration::from_millis(25);

/// The longest pause of a polling waiter.
const LONGEST: Duration = Duration::from_millis(400);

/// The pause of a waiter with messages, in case the script may not publish.
const TOLD: Duration = Duration::from_secs(2);

/// The pauses of a waiter between its looks.
pub(super) struct Pauses {
    next: Duration,
    most: Duration,
}

impl Pauses {
    pub(super) fn new(is_told: bool) -> Self {
        match is_told {
            true => Self {
                next: TOLD,
                most: TOLD,
            },
            false => Self {
                next: FIRST,
                most: LONGEST,
            },
        }
    }

    /// Adapts to whether the waiter gets messages.
    pub(super) fn told(&mut self, is_told: bool) {
        if is_told != (self.most == TOLD) {
            *self = Self::new(is_told);
        }
    }

    /// Returns the next pause, up to a quarter shorter or longer.
    ///
    /// So waiters that began together do not look together.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 3 / 2).min(self.most);
        pause.mul_f64(0.75 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_without_messages_polls_a_few_times_a_second() {
        let mut pauses = Pauses::new(false);
        let first: Duration = (0..8).map(|_| pauses.next()).sum();
        assert!(first > Duration::from_millis(300), "{first:?}");
        for _ in 0..100 {
            let pause = pauses.next();
            assert!(pause >= LONGEST * 3 / 4 && pause <= LONGEST * 5 / 4);
        }
        assert!(Pauses::new(true).next() >= TOLD * 3 / 4);
    }
}
