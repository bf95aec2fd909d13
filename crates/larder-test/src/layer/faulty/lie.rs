use bytes::Bytes;
use larder_store::{Entry, Key, Result, Store};

/// A wrong value that a [`Faulty`](super::Faulty) store returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Lie {
    /// The value and version of another key, like an answer to another caller.
    ValueOf(Key),
    /// The first half of the value.
    Truncated,
    /// Other bytes of the same length, the same at each read.
    Garbage,
    /// The value with its last bit flipped.
    BitFlipped,
}

impl Lie {
    /// Returns the wrong value in place of `truth`. An absent value stays absent, except for
    /// another key's value.
    pub(super) async fn about<S: Store + ?Sized>(
        &self,
        store: &S,
        truth: Option<Entry>,
    ) -> Result<Option<Entry>> {
        if let Self::ValueOf(key) = self {
            return store.get(key).await;
        }
        Ok(truth.map(|Entry { value, version }| Entry {
            value: self.bytes(value),
            version,
        }))
    }

    fn bytes(&self, value: Bytes) -> Bytes {
        match self {
            Self::ValueOf(_) => value,
            Self::Truncated => value.slice(..value.len() / 2),
            Self::Garbage => {
                let mut rng = fastrand::Rng::with_seed(value.len() as u64);
                value.iter().map(|byte| byte ^ rng.u8(1..)).collect()
            }
            Self::BitFlipped => {
                let mut value = Vec::from(value);
                if let Some(last) = value.last_mut() {
                    *last ^= 1;
                }
                value.into()
            }
        }
    }
}
