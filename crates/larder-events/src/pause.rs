use std::time::Duration;

/// Draws a pause at random from half of it to all of it, so that what failed together is not tried again together.
pub(crate) fn drawn(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_drawn_from_half_of_it_to_all_of_it() {
        let second = Duration::from_secs(1);
        let pauses: Vec<_> = (0..100).map(|_| drawn(second)).collect();
        assert!(pauses.iter().all(|it| (second / 2..=second).contains(it)));
        assert!(pauses.iter().any(|it| *it != pauses[0]));
    }
}
