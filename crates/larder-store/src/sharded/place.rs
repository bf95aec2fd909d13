use std::num::NonZeroU32;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Places keys on shards by rendezvous hashing: each key goes to the shard with its highest score.
///
/// A new shard takes its share of the keys from all others, and no key moves between those.
/// The weights are those of C. Schindelhauer and G. Schomaker, "Weighted Distributed Hash Tables" (2005).
pub(super) struct Places(Vec<Place>);

struct Place {
    seed: u64,
    weight: f64,
}

impl Places {
    pub(super) fn new<'a>(shards: impl Iterator<Item = (&'a str, NonZeroU32)>) -> Self {
        let place = |(name, weight): (&str, NonZeroU32)| Place {
            seed: xxh3_64(name.as_bytes()),
            weight: f64::from(weight.get()),
        };
        Self(shards.map(place).collect())
    }

    /// Returns the number of the shard for a key, by its id alone, so that everything of one id is
    /// together.
    pub(super) fn of(&self, key: &[u8]) -> usize {
        let tag = tag(key);
        let (mut best, mut highest) = (0, f64::NEG_INFINITY);
        for (number, place) in self.0.iter().enumerate() {
            let score = place.score(tag);
            if score > highest {
                (best, highest) = (number, score);
            }
        }
        best
    }
}

impl Place {
    fn score(&self, tag: &[u8]) -> f64 {
        let hash = xxh3_64_with_seed(tag, self.seed);
        // Between 0 and 1, and neither of them: its logarithm is finite, and below zero.
        let uniform = ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
        -self.weight / uniform.ln()
    }
}

/// Returns the text between the braces of a key. Nothing in front of them contains a brace.
fn tag(key: &[u8]) -> &[u8] {
    let start = key.iter().position(|byte| *byte == b'{');
    let inside = start.map_or(key, |start| &key[start + 1..]);
    let end = inside.iter().position(|byte| *byte == b'}');
    &inside[..end.unwrap_or(inside.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: u32 = 1_000_000;
    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn places(names: &[&str]) -> Places {
        Places::new(names.iter().map(|name| (*name, ONE)))
    }

    fn key(number: u32) -> Vec<u8> {
        format!("seat:{{{number}}}").into_bytes()
    }

    #[test]
    fn a_million_keys_are_spread_evenly() {
        for shards in [2, 3, 8] {
            let names: Vec<_> = (0..shards).map(|n| format!("10.0.0.{n}:6379")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let (places, mut load) = (places(&names), vec![0_u32; shards]);
            for number in 0..KEYS {
                load[places.of(&key(number))] += 1;
            }
            let most = f64::from(load.into_iter().max().unwrap());
            let mean = f64::from(KEYS) / shards as f64;
            assert!(most / mean <= 1.05, "{shards} shards: {}", most / mean);
        }
    }

    #[test]
    fn a_shard_that_is_added_takes_its_share_and_nothing_else_moves() {
        let (before, after) = (places(&["a", "b", "c"]), places(&["a", "b", "c", "d"]));
        let mut moved = 0;
        for number in 0..KEYS {
            let key = key(number);
            let (from, to) = (before.of(&key), after.of(&key));
            if from != to {
                assert_eq!(to, 3, "a key moved between shards that stay");
                moved += 1;
            }
        }
        let share = f64::from(moved) / f64::from(KEYS);
        assert!((share - 0.25).abs() <= 0.01, "{share}");
    }

    #[test]
    fn a_shard_of_twice_the_weight_has_twice_the_keys() {
        let two = NonZeroU32::new(2).unwrap();
        let places = Places::new([("a", ONE), ("b", two)].into_iter());
        let heavy = (0..KEYS).filter(|number| places.of(&key(*number)) == 1);
        let share = heavy.count() as f64 / f64::from(KEYS);
        assert!((share - 2.0 / 3.0).abs() <= 0.01, "{share}");
    }

    #[test]
    fn everything_of_one_id_is_together_and_the_order_of_shards_does_not_matter() {
        let (one, other) = (places(&["a", "b", "c"]), places(&["c", "a", "b"]));
        for number in 0..1_000 {
            let at = one.of(&key(number));
            for text in ["prod:matinee:hold:{N}", "seat:{N}:jobs", "{N}"] {
                let text = text.replace('N', &number.to_string());
                assert_eq!(one.of(text.as_bytes()), at);
            }
            assert_eq!(other.of(&key(number)), (at + 1) % 3);
        }
    }

    /// The placement of keys is part of the format: another version must find them again.
    #[test]
    fn keys_stay_where_they_are_from_version_to_version() {
        let places = places(&["a", "b", "c"]);
        let at: String = (0..20)
            .map(|number| places.of(&key(number)).to_string())
            .collect();
        assert_eq!(at, "20220120021101010221");
    }
}
