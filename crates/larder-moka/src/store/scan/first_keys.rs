use std::collections::BTreeSet;

/// Collects the first keys with a prefix after a given key, up to a maximum.
pub(super) struct FirstKeys<'a> {
    prefix: &'a [u8],
    after: Option<&'a [u8]>,
    max: usize,
    keys: BTreeSet<Box<[u8]>>,
    has_more: bool,
}

impl<'a> FirstKeys<'a> {
    pub(super) fn new(prefix: &'a str, after: Option<&'a str>, max: usize) -> Self {
        Self {
            prefix: prefix.as_bytes(),
            after: after.map(str::as_bytes),
            max,
            keys: BTreeSet::new(),
            has_more: false,
        }
    }

    pub(super) fn offer(&mut self, key: &[u8]) {
        if !key.starts_with(self.prefix) || self.after.is_some_and(|after| key <= after) {
            return;
        }
        if self.keys.len() == self.max {
            // A key may be offered twice, if it moves between shards or is written in the meantime.
            if self.keys.contains(key) {
                return;
            }
            self.has_more = true;
            if self.keys.last().is_some_and(|last| key > &**last) {
                return;
            }
            self.keys.pop_last();
        }
        self.keys.insert(key.into());
    }

    /// Returns the keys in order, and whether more were offered.
    pub(super) fn into_keys(self) -> (Vec<String>, bool) {
        // Every part of a key is written as ASCII, so no key is lost.
        let keys = self.keys.into_iter();
        let keys = keys.filter_map(|key| String::from_utf8(key.into_vec()).ok());
        (keys.collect(), self.has_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keys_are_kept_whatever_the_order() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut all: Vec<String> = (0..50).map(|n| format!("{}:{n:02}", n % 2)).collect();
            random.shuffle(&mut all);
            let after = random.bool().then(|| format!("1:{:02}", random.u8(0..50)));
            let max = random.usize(1..40);
            let mut first = FirstKeys::new("1:", after.as_deref(), max);
            for key in all.iter().chain(&all) {
                first.offer(key.as_bytes());
            }
            all.retain(|key| key.starts_with("1:") && after.as_ref().is_none_or(|a| key > a));
            all.sort();
            let (keys, has_more) = first.into_keys();
            assert_eq!(has_more, all.len() > max);
            all.truncate(max);
            assert_eq!(keys, all);
        }
    }
}
