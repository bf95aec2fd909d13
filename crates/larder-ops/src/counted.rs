//! What a question counted, so that its answer covers nothing that came later.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The things that a question counted.
///
/// Their number alone would not do: as many may have come as went away until the answer. As text it can be sent
/// along with the answer. Another build of the program may hash otherwise, and then finds that nothing was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted(BTreeSet<u64>);

/// What the text begins with, so that it is never empty.
const PREFIX: &str = "counted";

impl Counted {
    /// Counts things by what identifies them.
    pub fn of<T: Hash>(things: impl IntoIterator<Item = T>) -> Self {
        Self(things.into_iter().map(|thing| hash(&thing)).collect())
    }

    /// Returns whether a thing was counted.
    pub fn has<T: Hash>(&self, thing: &T) -> bool {
        self.0.contains(&hash(thing))
    }

    /// Returns whether everything that there is now was counted. It does not matter what has gone away.
    pub fn covers(&self, now: &Self) -> bool {
        now.0.is_subset(&self.0)
    }

    /// Returns how many there were.
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Returns whether there were none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn hash(thing: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|hash| write!(f, " {hash:x}"))
    }
}

/// The error for text that is not of [`Counted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCounted;

impl FromStr for Counted {
    type Err = NotCounted;

    fn from_str(text: &str) -> Result<Self, NotCounted> {
        let hashes = text.strip_prefix(PREFIX).ok_or(NotCounted)?;
        let hashes = hashes.split_terminator(' ').skip(1);
        let hashes = hashes.map(|hash| u64::from_str_radix(hash, 16).map_err(|_| NotCounted));
        Ok(Self(hashes.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_is_covered_and_what_has_come_is_not_though_their_number_is_the_same() {
        let counted = Counted::of(["a", "b"]);
        for (now, is_covered) in [
            (&["a", "b"][..], true),
            (&["b"], true),
            (&[], true),
            (&["b", "c"], false),
            (&["c"], false),
        ] {
            assert_eq!(counted.covers(&Counted::of(now)), is_covered, "{now:?}");
        }
        assert!(counted.has(&"a") && !counted.has(&"c"));
    }

    #[test]
    fn it_is_the_same_after_it_was_text_and_other_text_is_refused() {
        for counted in [Counted::default(), Counted::of([1]), Counted::of(0..50)] {
            assert_eq!(counted.to_string().parse(), Ok(counted));
        }
        for text in ["", "2", "everyone 2", "counted x", "counted 1,2", "1f"] {
            assert_eq!(text.parse::<Counted>(), Err(NotCounted), "{text}");
        }
    }
}
