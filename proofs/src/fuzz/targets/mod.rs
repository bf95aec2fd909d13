//! What reads bytes that others may have written.

mod blobs;
mod cache;
mod messages;
mod mutating;
mod packed;
mod records;
mod responses;
mod server;
mod sessions;

use allocation_counter::measure;
use larder_cache::{Json, MsgPack, Postcard};
use tokio::runtime::Runtime;

use super::values::{Film, Tree};
use cache::{codec, resealed, stored};
use mutating::{Frame, Mutating};

/// The outcome of one input.
pub(in crate::fuzz) struct Read {
    pub(in crate::fuzz) outcome: Outcome,
    /// The most memory that was held at a time.
    pub(in crate::fuzz) bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fuzz) enum Outcome {
    Value,
    /// It was refused: for a cache, a miss.
    Refused,
    /// It was read as a value, and is not what was written.
    Wrong,
    /// The caller got an error.
    Failed,
}

/// Reads one input after the other.
pub(in crate::fuzz) type Target = Box<dyn FnMut(&mut fastrand::Rng) -> Read>;

/// A target and its name.
type Named = (&'static str, fn() -> Target);

/// All targets.
pub(in crate::fuzz) const TARGETS: [Named; 19] = [
    ("stored bytes", stored),
    ("stored bytes with a right checksum, MsgPack", || {
        resealed(MsgPack)
    }),
    ("stored bytes with a right checksum, Postcard", || {
        resealed(Postcard)
    }),
    ("MsgPack, a struct", || codec::<Film>(MsgPack)),
    ("MsgPack, a recursive type", || codec::<Tree>(MsgPack)),
    ("Postcard, a struct", || codec::<Film>(Postcard)),
    ("Json, a recursive type", || codec::<Tree>(Json)),
    ("LZ4, with a right checksum", packed::lz4),
    ("Zstandard, with a right checksum", packed::zstd),
    ("decompression bombs and lengths that lie", packed::bombs),
    ("sealed values, with a right checksum", packed::sealed),
    ("messages about keys", messages::about_keys),
    ("messages about tags", messages::about_tags),
    ("stored responses", || responses::responses(Frame::Damaged)),
    ("stored responses with a right checksum", || {
        responses::responses(Frame::Resealed)
    }),
    ("manifests and chunks of blobs", blobs::blobs),
    ("structures, tags and journals on Redis", records::records),
    ("sessions on Redis", sessions::sessions),
    ("cursors that a client sends back", sessions::cursors),
];

/// Measures what one read takes.
fn reading(read: impl FnOnce() -> Outcome) -> Read {
    let mut outcome = Outcome::Failed;
    let bytes = measure(|| outcome = read()).bytes_max;
    Read { outcome, bytes }
}

fn runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
}
