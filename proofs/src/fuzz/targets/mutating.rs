//! A store whose values were changed by somebody else before they are read.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use larder_layer::envelope;
use larder_store::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Put, PutOutcome, Result, Store, Ttl,
};

use crate::fuzz::mutate::mutate;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Any bytes.
    Damaged,
    /// The bytes behind the frame, whose checksum is right afterwards.
    Resealed,
}

/// A store that changes each value that it returns.
pub(super) struct Mutating {
    inner: Arc<dyn Store>,
    frame: Frame,
    random: Mutex<fastrand::Rng>,
}

/// Puts a right checksum into a frame, unless it is too short for one.
pub(super) fn reseal(key: &Key, bytes: &mut [u8]) {
    if let Some(magic) = bytes.first_chunk().copied() {
        // None if it is too short.
        let _ = envelope::seal(magic, key, bytes);
    }
}

impl Mutating {
    pub(super) fn new(inner: Arc<dyn Store>, frame: Frame) -> Self {
        Self {
            inner,
            frame,
            random: Mutex::new(fastrand::Rng::with_seed(0)),
        }
    }

    /// Sets what the changes of the next reads are drawn from.
    pub(super) fn draw_from(&self, random: &mut fastrand::Rng) {
        *self.random.lock().expect("no panic") = random.fork();
    }

    fn changed(&self, key: &Key, entry: Entry) -> Entry {
        let mut random = self.random.lock().expect("no panic");
        // Some are left as they are, or a reader would never come to the second value of a chain.
        if random.u8(..4) == 0 {
            return entry;
        }
        let mut bytes = entry.value.to_vec();
        match self.frame {
            Frame::Damaged => mutate(&mut bytes, 0, &mut random),
            Frame::Resealed => {
                mutate(&mut bytes, envelope::LEN, &mut random);
                reseal(key, &mut bytes);
            }
        }
        Entry {
            value: Bytes::from(bytes),
            ..entry
        }
    }
}

#[async_trait]
impl Store for Mutating {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let read = self.inner.get(key).await?;
        Ok(read.map(|entry| self.changed(key, entry)))
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.inner.put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.inner.delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.inner.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.inner.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let read = self.inner.get_many(keys).await.into_iter().zip(keys);
        read.map(|(entry, key)| Ok(entry?.map(|entry| self.changed(key, entry))))
            .collect()
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.inner.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.inner.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        self.inner.location()
    }
}
