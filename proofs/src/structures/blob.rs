//! Blobs: a reader ends with one that was written, whole, or with an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use fastrand::Rng;
use larder_store::{Error, Key, Kind, Put, Result, Store, Ttl};
use larder_structures::blob::{BlobError, Blobs};

use super::cut::{Cut, Progress};
use super::{How, Report};

/// The number of tasks that write, and of those that read.
const TASKS: u64 = 3;
/// Few, so that the writers meet.
const IDS: u32 = 2;
const CHUNK: usize = 128 * 1024;
const HOUR: Ttl = Ttl::from_secs(3_600);
const PART: Kind = Kind::pinned("part");

/// Three tasks that replace two values in chunks, and three that read them.
pub async fn run(how: How, kills: u32) -> Report {
    let cut = Cut::start().await;
    let shelf = Shelf::new(how, cut.store.clone());
    let tasks: Vec<_> = (0..2 * TASKS)
        .map(|task| {
            let (shelf, progress) = (shelf.clone(), cut.progress.clone());
            let random = Rng::with_seed(task);
            tokio::spawn(async move {
                match task % 2 {
                    0 => write(&shelf, &progress, random).await,
                    _ => read(&shelf, &progress, random).await,
                }
            })
        })
        .collect();
    cut.kill(kills, 3).await;
    let mut wrong = Vec::new();
    for task in tasks {
        wrong.extend(task.await.expect("a task that works"));
    }
    wrong.extend(replace_all(&Shelf::new(how, cut.whole.clone()), 3).await);
    cut.progress.report(wrong)
}

async fn write(shelf: &Shelf, progress: &Progress, mut random: Rng) -> Vec<String> {
    while !progress.is_over() {
        let id = random.u32(..IDS);
        let data = data(id, random.u64(..));
        match shelf.put(id, &data).await {
            Ok(()) => {
                progress.answered();
                shelf.note_written(id);
            }
            Err(error) => drop(progress.failed(&error).await),
        }
    }
    Vec::new()
}

async fn read(shelf: &Shelf, progress: &Progress, mut random: Rng) -> Vec<String> {
    let mut wrong = Vec::new();
    while !progress.is_over() {
        wrong.extend(read_one(shelf, progress, random.u32(..IDS)).await);
    }
    wrong
}

/// Reads a blob, and returns what is wrong with it.
pub async fn read_one(shelf: &Shelf, progress: &Progress, id: u32) -> Option<String> {
    let was_written = shelf.written[id as usize].load(Ordering::SeqCst);
    match shelf.get(id).await {
        Ok(None) if was_written => return Some("a blob that was written is gone".to_owned()),
        Ok(None) => tokio::task::yield_now().await,
        Ok(Some(Read::Whole(read))) => {
            progress.answered();
            if !is_whole(id, &read) {
                return Some(format!("{} bytes that nobody wrote", read.len()));
            }
        }
        Ok(Some(Read::Torn)) => return Some("a chunk was gone or changed".to_owned()),
        Err(error) => drop(progress.failed(&error).await),
    }
    None
}

/// Replaces each blob while nobody else writes, and returns of which another is read than was put.
///
/// # Panics
/// If the store does not answer.
pub async fn replace_all(shelf: &Shelf, seed: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    for id in 0..IDS {
        let data = data(id, seed);
        shelf.put(id, &data).await.expect("the store answers");
        let read = shelf.get(id).await.expect("the store answers");
        if !matches!(read, Some(Read::Whole(read)) if read == data) {
            wrong.push(format!("the last put of blob {id} has not replaced it"));
        }
    }
    wrong
}

/// Returns bytes that follow from the id of their blob and their first eight.
#[must_use]
pub fn data(id: u32, seed: u64) -> Vec<u8> {
    let mut random = Rng::with_seed(seed);
    let mut data = vec![0; random.usize(12..3 * CHUNK)];
    random.fill(&mut data[12..]);
    data[..8].copy_from_slice(&seed.to_le_bytes());
    data[8..12].copy_from_slice(&id.to_le_bytes());
    data
}

fn is_whole(id: u32, read: &[u8]) -> bool {
    let seed = read.first_chunk().map(|seed| u64::from_le_bytes(*seed));
    seed.is_some_and(|seed| read == data(id, seed))
}

enum Read {
    Whole(Vec<u8>),
    Torn,
}

/// Some blobs, and which of them were written.
#[derive(Clone)]
pub struct Shelf {
    how: How,
    blobs: Blobs,
    store: Arc<dyn Store>,
    /// The blobs of which a write was acknowledged.
    written: Arc<[AtomicBool; IDS as usize]>,
}

impl Shelf {
    /// Returns one without blobs.
    ///
    /// # Panics
    /// Never: the name of the blobs is valid.
    #[must_use]
    pub fn new(how: How, store: Arc<dyn Store>) -> Self {
        Self {
            how,
            blobs: Blobs::new(store.clone(), "proof", HOUR).expect("a name"),
            store,
            written: Arc::default(),
        }
    }

    /// Notes that a write of the blob `id` was acknowledged: it is never absent again.
    pub fn note_written(&self, id: u32) {
        self.written[id as usize].store(true, Ordering::SeqCst);
    }

    /// Writes a blob.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put(&self, id: u32, data: &[u8]) -> Result<()> {
        if self.how == How::ByHand {
            for (number, chunk) in (1_u32..).zip(data.chunks(CHUNK)) {
                self.put_part(id, number, Bytes::copy_from_slice(chunk))
                    .await?;
            }
            // How many there are, last.
            let chunks = data.len().div_ceil(CHUNK).to_string();
            return self.put_part(id, 0, chunks.into()).await;
        }
        self.blobs.put(id, data).await.map(drop).map_err(of_store)
    }

    async fn put_part(&self, id: u32, number: u32, part: Bytes) -> Result<()> {
        let put = Put::new(Key::new(PART, (id, number)), part, HOUR);
        self.store.put(&put).await.map(drop)
    }

    async fn get(&self, id: u32) -> Result<Option<Read>> {
        if self.how == How::ByHand {
            return self.get_parts(id).await;
        }
        let Some(mut reader) = self.blobs.get(id).await.map_err(of_store)? else {
            return Ok(None);
        };
        let mut read = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(part)) => read.extend_from_slice(&part),
                Ok(None) => return Ok(Some(Read::Whole(read))),
                Err(BlobError::Torn) => return Ok(Some(Read::Torn)),
                Err(error) => return Err(of_store(error)),
            }
        }
    }

    async fn get_parts(&self, id: u32) -> Result<Option<Read>> {
        let Some(chunks) = self.store.get(&Key::new(PART, (id, 0_u32))).await? else {
            return Ok(None);
        };
        let chunks = std::str::from_utf8(&chunks.value).ok();
        let chunks: u32 = chunks.and_then(|it| it.parse().ok()).unwrap_or(0);
        let mut read = Vec::new();
        for number in 1..=chunks {
            let part = self.store.get(&Key::new(PART, (id, number))).await?;
            read.extend_from_slice(&part.map(|it| it.value).unwrap_or_default());
        }
        Ok(Some(Read::Whole(read)))
    }
}

/// Returns the error of the store. The others do not occur: no write is too large or takes too long.
fn of_store(error: BlobError) -> Error {
    match error {
        BlobError::Store(error) => error,
        other => Error::new("blob", larder_store::ErrorKind::NotSent, other.to_string()),
    }
}
