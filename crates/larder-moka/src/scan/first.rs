use std::collections::BTreeSet;

/// The first keys of a prefix that come after one of them: of all that are offered, as many as a
/// page has.
pub(super) struct First<'a> {
    prefix: &'a [u8],
    after: Option<&'a [u8]>,
    most: usize,
    keys: BTreeSet<Box<[u8]>>,
    has_more: bool,
}

impl<'a> First<'a> {
    pub(super) fn new(prefix: &'a str, after: Option<&'a str>, most: usize) -> Self {
        Self {
            prefix: prefix.as_bytes(),
            after: after.map(str::as_bytes),
            most,
            keys: BTreeSet::new(),
            has_more: false,
        }
    }

    pub(super) fn offer(&mut self, key: &[u8]) {
        if !key.starts_with(self.prefix) || self.after.is_some_and(|after| key <= after) {
            return;
        }
        if self.keys.len() == self.most {
            // A key may be offered twice: it moves between shards, or is written meanwhile.
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

    /// The keys in their order, and whether others were offered.
    pub(super) fn into_keys(self) -> (Vec<String>, bool) {
        // Every part of a key is written as ASCII, so none is lost here.
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
            let most = random.usize(1..40);
            let mut first = First::new("1:", after.as_deref(), most);
            for key in all.iter().chain(&all) {
                first.offer(key.as_bytes());
            }
            all.retain(|key| key.starts_with("1:") && after.as_ref().is_none_or(|a| key > a));
            all.sort();
            let (keys, has_more) = first.into_keys();
            assert_eq!(has_more, all.len() > most);
            all.truncate(most);
            assert_eq!(keys, all);
        }
    }
}
