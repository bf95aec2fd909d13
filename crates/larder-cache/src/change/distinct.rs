use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use larder_store::{Error, Result};

/// The keys of a call, each once, and which of them is at each place of the call.
pub(super) struct Distinct<'a, K: Clone> {
    keys: Cow<'a, [K]>,
    places: Vec<usize>,
}

impl<'a, K: Clone + Eq + Hash> Distinct<'a, K> {
    pub(super) fn of(given: &'a [K]) -> Self {
        let mut numbers = HashMap::with_capacity(given.len());
        let mut firsts = Vec::with_capacity(given.len());
        let places = given.iter().map(|key| {
            *numbers.entry(key).or_insert_with(|| {
                firsts.push(key);
                firsts.len() - 1
            })
        });
        let places: Vec<_> = places.collect();
        let keys = match firsts.len() == given.len() {
            true => Cow::Borrowed(given),
            false => Cow::Owned(firsts.into_iter().cloned().collect()),
        };
        Self { keys, places }
    }

    pub(super) fn keys(&self) -> &[K] {
        &self.keys
    }

    /// Returns the result for each place of the call, from those of the keys.
    pub(super) fn spread(&self, results: Vec<Result<()>>) -> Vec<Result<()>> {
        if results.len() == self.places.len() {
            return results;
        }
        let mut results = results.into_iter();
        // The place at which each key was given first.
        let mut firsts = Vec::with_capacity(self.keys.len());
        let mut spread: Vec<Result<()>> = Vec::with_capacity(self.places.len());
        for (place, number) in self.places.iter().enumerate() {
            let result = match firsts.get(*number) {
                Some(first) => copy(&spread[*first]),
                None => {
                    firsts.push(place);
                    results.next().unwrap_or(Ok(()))
                }
            };
            spread.push(result);
        }
        spread
    }
}

fn copy(result: &Result<()>) -> Result<()> {
    result.as_ref().copied().map_err(|error| {
        let text = "the key was given more than once: its first result says why";
        Error::new(error.operation(), error.kind(), text)
    })
}

#[cfg(test)]
mod tests {
    use larder_store::ErrorKind;

    use super::*;

    #[test]
    fn each_place_has_the_result_of_its_key() {
        let given = [7, 8, 7, 9, 8, 7];
        let distinct = Distinct::of(&given);
        assert_eq!(distinct.keys(), [7, 8, 9]);
        let failed = Error::new("delete", ErrorKind::NotSent, "away");
        let results = distinct.spread(vec![Ok(()), Err(failed), Ok(())]);
        let failed: Vec<_> = results.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, false, false, true, false]);
        assert_eq!(
            results[1].as_ref().unwrap_err().to_string(),
            "delete: not sent: away"
        );
        let again = results[4].as_ref().unwrap_err();
        assert_eq!(
            (again.operation(), again.kind()),
            ("delete", ErrorKind::NotSent)
        );
        assert_eq!(Distinct::of(&[1, 2]).keys(), [1, 2]);
    }
}
