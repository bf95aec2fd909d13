use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A value of the usual shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Film {
    title: String,
    year: Option<i32>,
    minutes: u16,
    rating: f64,
    cast: Vec<String>,
    seats: Vec<(u8, u64)>,
    words: BTreeMap<String, u64>,
    medium: Medium,
    poster: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Medium {
    Lost,
    Tape(u32),
    Reel { meters: u64, is_cut: bool },
}

impl Film {
    /// Returns a film with a title of so many equal letters.
    pub(super) fn bomb(letters: usize) -> Self {
        Self {
            title: "a".repeat(letters),
            ..Self::draw(&mut fastrand::Rng::with_seed(1))
        }
    }
}

/// A value that holds others of its own type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree(Vec<Tree>);

/// A value that is drawn.
pub(super) trait Drawn: Sized {
    fn draw(random: &mut fastrand::Rng) -> Self;
}

impl Drawn for Film {
    fn draw(random: &mut fastrand::Rng) -> Self {
        Self {
            title: text(random),
            year: random.bool().then(|| random.i32(..)),
            minutes: random.u16(..),
            rating: random.f64(),
            cast: (0..random.usize(..4)).map(|_| text(random)).collect(),
            seats: (0..random.usize(..4))
                .map(|_| (random.u8(..), random.u64(..)))
                .collect(),
            words: (0..random.usize(..4))
                .map(|_| (text(random), random.u64(..1_000)))
                .collect(),
            medium: match random.u8(..3) {
                0 => Medium::Lost,
                1 => Medium::Tape(random.u32(..)),
                _ => Medium::Reel {
                    meters: random.u64(..),
                    is_cut: random.bool(),
                },
            },
            poster: (0..random.usize(..20)).map(|_| random.u8(..)).collect(),
        }
    }
}

impl Drawn for Tree {
    fn draw(random: &mut fastrand::Rng) -> Self {
        fn grow(random: &mut fastrand::Rng, depth: u32) -> Tree {
            let most = if depth == 0 { 1 } else { 4 };
            let branches = random.usize(..most);
            Tree((0..branches).map(|_| grow(random, depth - 1)).collect())
        }
        grow(random, 4)
    }
}

fn text(random: &mut fastrand::Rng) -> String {
    (0..random.usize(..12))
        .map(|_| random.alphanumeric())
        .collect()
}
