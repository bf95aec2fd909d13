//! The records of other crates, for tools: lists, shows and removes them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use larder_store::lease::Fence;
use larder_store::program::{
    Args, Effect, Inspection, Program, Programs, Record, Script, Slot, Wire,
};
use larder_store::scan::{Cursor, MAX_PAGE, Scan};
use larder_store::{Key, KeyId, Kind, Result, Timestamp};
use percent_encoding::percent_decode_str;
use tokio::time::sleep;

/// The number of records that one round trip shows or removes.
const TOGETHER: usize = 100;

/// The records that a listing found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listed {
    /// The keys of the records, in the order of their text.
    pub keys: Vec<Key>,
    /// Whether there are more than the limit.
    pub has_more: bool,
}

/// The keys of the records of type `R` whose ids begin with a text, page by page: of any number, only a page is in
/// memory.
pub struct Pages<'a, R> {
    scan: &'a dyn Scan,
    prefix: String,
    /// Where the next page begins, and how long the last one took. None before the first page.
    next: Option<(Option<Cursor>, Duration)>,
    record: PhantomData<fn() -> R>,
}

impl<'a, R: Record> Pages<'a, R> {
    /// Begins a listing of the records whose ids, as written in a key, begin with `id`.
    pub fn new(scan: &'a dyn Scan, id: &str) -> Self {
        Self {
            scan,
            prefix: format!("{}:{{{id}", R::KIND.name()),
            next: None,
            record: PhantomData,
        }
    }

    /// Returns the next page, which may be empty, or None after the last one. A record may be on two pages.
    ///
    /// Before each page but the first it pauses for as long as the page before took.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn next(&mut self) -> Result<Option<Vec<Key>>> {
        let after = match &self.next {
            None => None,
            Some((None, _)) => return Ok(None),
            Some((Some(cursor), took)) => {
                sleep(*took).await;
                Some(cursor)
            }
        };
        let started = Instant::now();
        let page = self.scan.page(&self.prefix, after, MAX_PAGE).await?;
        self.next = Some((page.next, started.elapsed()));
        // If another client wrote under such a name, it is not a record.
        let keys = page.keys.iter();
        Ok(Some(
            keys.filter_map(|key| record_key::<R>(key).ok()).collect(),
        ))
    }
}

/// Lists the keys of at most `limit` records of type `R` whose ids begin with `id`.
///
/// The id is as written in a key. A record in several parts is listed once. After each page of the listing
/// it pauses for as long as the page took, and calls `progress` with the keys that the page added.
///
/// # Errors
/// Those of the store. `progress` has been called with the keys that were found before.
///
/// # Cancellation
/// A dropped call has no effect.
pub async fn list<R: Record>(
    scan: &dyn Scan,
    id: &str,
    limit: usize,
    mut progress: impl FnMut(&[Key]),
) -> Result<Listed> {
    let mut pages = Pages::<R>::new(scan, id);
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await? {
        let mut new = Vec::new();
        for key in page {
            if let Entry::Vacant(place) = found.entry(key.as_str().to_owned()) {
                new.push(place.insert(key).clone());
            }
        }
        progress(&new);
        // One more than the limit, to see whether there are more.
        if found.len() > limit {
            break;
        }
    }
    Ok(Listed {
        has_more: found.len() > limit,
        keys: found.into_values().take(limit).collect(),
    })
}

/// Parses the key of a record, on which programs run.
///
/// A scan may list a record of several parts under each of them; its own key has no part. Any other part belongs to
/// the key: the permits of a semaphore are a record beside the lock of the same id.
///
/// # Errors
/// Those of [`Key::parse`].
pub fn record_key<R: Record>(text: &str) -> Result<Key> {
    let key = Key::parse(text, &[R::KIND])?;
    Ok(match key.part() {
        Some(part) if R::PARTS.contains(&part) => key.without_part(),
        _ => key,
    })
}

/// Returns the part of a key inside its braces.
pub fn id_of(key: &Key) -> &str {
    let text = key.as_str();
    let inside = text
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    inside.map_or(text, |(id, _)| id)
}

/// Returns the name of a lock or a semaphore: the id of a lock, and the whole key of a semaphore, as a lock may have
/// the same id.
pub fn lock_name(key: &Key) -> &str {
    match key.part() {
        Some(_) => key.as_str(),
        None => id_of(key),
    }
}

/// Returns the key of a record that may have partitions, such as a queue, or of one of its partitions.
pub fn partition_key(kind: Kind, name: &str, number: Option<u16>) -> Key {
    match number {
        Some(number) => Key::new(kind, (name, u32::from(number))),
        None => Key::new(kind, name),
    }
}

/// Returns the name in such a key, and the number of the partition. None if the name is hashed, or the key has
/// another form.
pub fn partition_of(key: &Key) -> Option<(String, Option<u16>)> {
    let id = id_of(key);
    let (name, number) = match id.split_once(':') {
        Some((name, number)) => (name, Some(number.parse().ok()?)),
        None => (id, None),
    };
    let name = percent_decode_str(name).decode_utf8().ok()?;
    // A text that is written back differently, such as a hash, is not the name.
    (partition_key(key.kind(), &name, number) == *key).then(|| (name.into_owned(), number))
}

/// Returns the keys of the records that `text` may name.
///
/// That is one key if `text` is a whole key. Otherwise it is the key whose id is written like `text`, as a list shows
/// it, such as `report:7`; and then the key of `id`, the name that the app gives.
pub fn keys_of<R: Record>(text: &str, id: impl KeyId) -> Vec<Key> {
    if let Ok(whole) = record_key::<R>(text) {
        return vec![whole];
    }
    let listed = record_key::<R>(&format!("{}:{{{text}}}", R::KIND.name()));
    let mut keys: Vec<_> = listed.into_iter().chain([Key::new(R::KIND, id)]).collect();
    keys.dedup();
    keys
}

/// Returns the common beginning of the ids of several keys, given the key of the number 0 among them.
///
/// None if the ids are hashed, because the name is so long: then they have nothing in common.
pub fn start_of(first: &Key) -> Option<&str> {
    let start = id_of(first).strip_suffix('0');
    start.filter(|start| !start.contains('#'))
}

/// Shows the records that exist, a hundred in a round trip.
///
/// Each has a result of its own: data of another client under such a key may not be a record.
pub async fn inspect<R: Record>(
    programs: &dyn Programs,
    keys: &[Key],
) -> Vec<(Key, Result<Inspection>)> {
    let mut all = Vec::new();
    for keys in keys.chunks(TOGETHER) {
        let steps = keys.iter().map(|key| (key.clone(), R::Inspect::default()));
        let steps: Vec<_> = steps.collect();
        for (shown, key) in programs.run_many(&steps).await.into_iter().zip(keys) {
            let is_absent = matches!(&shown, Ok(shown) if shown.fields().is_empty());
            if !is_absent {
                all.push((key.clone(), shown));
            }
        }
    }
    all
}

/// Removes records, a hundred in a round trip, and returns how many there were.
///
/// It calls `progress` with the number so far.
///
/// # Errors
/// Those of the store. Records that were removed before stay removed, and `progress` was called with their
/// number.
///
/// # Cancellation
/// Some or all records may have been removed.
pub async fn remove<R: Record>(
    programs: &dyn Programs,
    keys: &[Key],
    mut progress: impl FnMut(u64),
) -> Result<u64> {
    let mut removed = 0;
    for keys in keys.chunks(TOGETHER) {
        let steps: Vec<_> = keys
            .iter()
            .map(|key| (key.clone(), Remove::<R>::new()))
            .collect();
        let mut failed = None;
        for was_there in programs.run_many(&steps).await {
            match was_there {
                Ok(was_there) => removed += u64::from(was_there),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        // Called before an error is returned too, so that every removal is counted.
        progress(removed);
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(removed)
}

/// A holder of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockHolder {
    /// The fence of the holder.
    pub fence: Fence,
    /// When the lease ends unless it is renewed.
    pub ends: Timestamp,
}

/// Returns the holders of an inspected lock whose leases have not ended at `now`.
pub fn lock_holders(shown: &Inspection, now: Timestamp) -> Vec<LockHolder> {
    let fields = shown.fields().iter();
    let holders = fields.filter_map(|(name, ends)| {
        let fence = name.strip_prefix("holder ")?.strip_suffix(" ends_us")?;
        Some(LockHolder {
            fence: fence.parse().map(Fence::from_u64).ok()?,
            ends: Timestamp::from_micros(ends.parse().ok()?),
        })
    });
    holders.filter(|holder| holder.ends > now).collect()
}

/// Returns a line of an inspection.
pub fn field<'a>(shown: &'a Inspection, name: &str) -> Option<&'a str> {
    let mut fields = shown.fields().iter();
    let found = fields.find(|(field, _)| field == name);
    found.map(|(_, value)| value.as_str())
}

/// Returns a number that a record shows, such as a time in microseconds. 0 if it does not show it, as when there is
/// no record.
///
/// # Errors
/// Those of the store, and one for text that is not a number.
pub async fn number_of<R: Record>(programs: &dyn Programs, key: &Key, name: &str) -> Result<i64> {
    let shown = programs.inspect::<R>(key).await?;
    let number = field(&shown, name).unwrap_or("0");
    number.parse().map_err(|_| Wire::unexpected("a number"))
}

/// Removes a whole record, and wakes its waiters.
///
/// Returns whether there was one.
///
/// ```no_run
/// use larder_ops::records::Remove;
/// use larder_store::program::{Programs, Record};
/// use larder_store::{Key, Result};
///
/// async fn remove<R: Record>(programs: &dyn Programs, key: &Key) -> Result<bool> {
///     programs.run(key, &Remove::<R>::new()).await
/// }
/// ```
pub struct Remove<R>(PhantomData<fn() -> R>);

impl<R> Remove<R> {
    /// Makes the program.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Default for Remove<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> std::fmt::Debug for Remove<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remove")
    }
}

const SCRIPT: Script = Script::new(
    "ops-remove",
    Effect::Once,
    "local removed = 0
     for _, key in ipairs(KEYS) do
       if left(key) ~= -2 then removed = 1 end
       del(key)
     end
     wake()
     return removed",
)
.runs_when_full();

impl<R: Record> Program for Remove<R> {
    type Record = R;
    type Reply = bool;

    const SCRIPT: &'static Script = &SCRIPT;

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, R>, _: Timestamp) -> bool {
        let was_there = record.get().is_some();
        record.remove();
        record.wake();
        was_there
    }

    fn reply(&self, wire: Wire) -> larder_store::Result<bool> {
        wire.read()
    }
}
