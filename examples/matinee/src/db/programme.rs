//! Draws the programme of a season: which film is shown when, on which screen, and at what price.

use crate::clock::DAY_MS;

/// The length of a season.
pub(super) const SEASON_DAYS: i64 = 28;

/// The number of films in a season. They are dealt in rounds, so that each is shown once per round.
const REPERTOIRE: usize = 96;
/// The first showings of a day, in minutes after midnight UTC. Each screen starts a little later
/// than the one before, so that the foyer never fills up at once.
const SLOTS: [i64; 4] = [13 * 60 + 30, 16 * 60 + 15, 19 * 60, 21 * 60 + 45];
const STAGGER_MIN: i64 = 5;
/// The longest film that fits between two slots, with time to sweep up the popcorn.
pub(super) const LONGEST_FILM_MIN: i64 = 150;

const EVENING_MIN: i64 = 17 * 60;
const MATINEE_CENTS: i64 = 750;
const EVENING_CENTS: i64 = 1_100;

/// Any number works, but it must not change: a season is the same in every process.
const SEED: u64 = 0x6d61_7469_6e65_6531;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewShowing {
    pub(super) film: i64,
    pub(super) screen: i64,
    pub(super) starts_at_ms: i64,
    pub(super) price_cents: i64,
}

/// Draws season `number`, which begins at midnight `starts_at_ms`, out of `films`.
pub(super) fn draw(
    number: i64,
    starts_at_ms: i64,
    mut films: Vec<i64>,
    screens: &[i64],
) -> Vec<NewShowing> {
    let mut random = fastrand::Rng::with_seed(SEED ^ number.cast_unsigned());
    random.shuffle(&mut films);
    films.truncate(REPERTOIRE);
    if films.is_empty() {
        return Vec::new();
    }
    let mut round = Vec::new();
    let mut showings = Vec::new();
    for day in 0..SEASON_DAYS {
        for slot in SLOTS {
            for (index, screen) in (0..).zip(screens) {
                if round.is_empty() {
                    round.clone_from(&films);
                    random.shuffle(&mut round);
                }
                let minute = slot + index * STAGGER_MIN;
                showings.push(NewShowing {
                    // It was filled above if it was empty.
                    film: round.pop().unwrap_or(films[0]),
                    screen: *screen,
                    starts_at_ms: starts_at_ms + day * DAY_MS + minute * 60_000,
                    price_cents: if minute < EVENING_MIN {
                        MATINEE_CENTS
                    } else {
                        EVENING_CENTS
                    },
                });
            }
        }
    }
    showings
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn season(number: i64) -> Vec<NewShowing> {
        draw(number, 0, (1..=500).collect(), &[1, 2, 3, 4, 5, 6])
    }

    #[test]
    fn a_season_is_the_same_each_time_and_differs_from_the_next() {
        assert_eq!(season(0), season(0));
        assert_ne!(season(0), season(1));
    }

    #[test]
    fn no_screen_shows_two_films_at_once() {
        let places: HashSet<_> = season(0)
            .iter()
            .map(|s| (s.screen, s.starts_at_ms))
            .collect();
        assert_eq!(places.len(), 28 * 4 * 6);
    }

    #[test]
    fn every_film_of_a_season_is_shown_equally_often() {
        let mut times = HashMap::new();
        for showing in season(0) {
            *times.entry(showing.film).or_insert(0) += 1;
        }
        assert_eq!(times.len(), REPERTOIRE);
        assert!(times.values().all(|times| *times == 7));
    }

    #[test]
    fn no_films_make_an_empty_season() {
        assert_eq!(draw(0, 0, Vec::new(), &[1]), Vec::new());
    }
}
