use std::task::Poll;

use bytes::Bytes;
use larder_store::lease::Fence;
use larder_store::{Delete, Entry, Key, Put, Result, Ttl, Version};
use larder_test::records::{
    Add, Append, ClearJournal, ClearTally, Mark, ReadJournal, ReadTally, Tally,
};

use super::events::LogOperation;
use super::given::{Answer, Given, each, kind};
use super::leases::{Both, LeaseStep};
use super::limits::LimitOperation;
use super::queue::QueueOperation;
use super::scan;
use super::sessions::SessionOperation;
use super::side::Side;

/// One operation, as every store is given it.
pub(crate) enum Step {
    Get(Key),
    GetNow(Key),
    Put(Put),
    PutNow(Put),
    Delete(Delete),
    DeleteNow(Delete),
    Expire(Key, Ttl),
    TtlOf(Key),
    GetMany(Vec<Key>),
    PutMany(Vec<Put>),
    DeleteMany(Vec<Delete>),
    Add(Key, Add),
    AddMany(Vec<(Key, Add)>),
    ReadTally(Key),
    ClearTally(Key),
    InspectTally(Key),
    Mark(Key, Mark),
    Append(Key, Append),
    ReadJournal(Key),
    ClearJournal(Key),
    Lease(LeaseStep),
    Queue(QueueOperation),
    Log(LogOperation),
    Session(SessionOperation),
    Limit(LimitOperation),
    Scan(&'static str, usize),
}

impl Step {
    /// Runs it on one side, with the fences of that side, which `fence` selects.
    pub(crate) async fn run(&self, side: &Side, fence: fn(Both) -> Fence) -> Given {
        let store = &side.store;
        let programs = store.clone().programs().expect("programs");
        match self {
            Self::Get(key) => Given::Held(vec![held(store.get(key).await)]),
            Self::GetNow(key) => Given::Held(vec![held(match store.get_now(key) {
                Poll::Ready(entry) => entry,
                Poll::Pending => store.get(key).await,
            })]),
            Self::Put(put) => Given::Stored(vec![kind(store.put(put).await)]),
            Self::PutNow(put) => Given::Stored(vec![kind(match store.put_now(put) {
                Poll::Ready(written) => written,
                Poll::Pending => store.put(put).await,
            })]),
            Self::Delete(delete) => Given::Deleted(vec![kind(store.delete(delete).await)]),
            Self::DeleteNow(delete) => Given::Deleted(vec![kind(match store.delete_now(delete) {
                Poll::Ready(deleted) => deleted,
                Poll::Pending => store.delete(delete).await,
            })]),
            Self::Expire(key, ttl) => Given::Expired(kind(store.expire(key, *ttl).await)),
            Self::TtlOf(key) => Given::Left(kind(store.ttl(key).await)),
            Self::GetMany(keys) => Given::Held(each(store.get_many(keys).await, held)),
            Self::PutMany(puts) => Given::Stored(each(store.put_many(puts).await, kind)),
            Self::DeleteMany(deletes) => {
                Given::Deleted(each(store.delete_many(deletes).await, kind))
            }
            Self::Add(key, add) => Given::Sums(vec![kind(programs.run(key, add).await)]),
            Self::AddMany(adds) => Given::Sums(each(programs.run_many(adds).await, kind)),
            Self::ReadTally(key) => Given::Sums(vec![kind(programs.run(key, &ReadTally).await)]),
            Self::ClearTally(key) => Given::Cleared(kind(programs.run(key, &ClearTally).await)),
            Self::InspectTally(key) => Given::Shown(kind(programs.inspect::<Tally>(key).await)),
            Self::Mark(key, mark) => Given::Count(kind(programs.run(key, mark).await)),
            Self::Append(key, append) => Given::Count(kind(programs.run(key, append).await)),
            Self::ReadJournal(key) => Given::Lines(kind(programs.run(key, &ReadJournal).await)),
            Self::ClearJournal(key) => Given::Count(kind(programs.run(key, &ClearJournal).await)),
            Self::Lease(step) => step.run(store, fence).await,
            Self::Queue(operation) => Given::Queue(operation.run(store).await),
            Self::Log(operation) => Given::Log(operation.run(store).await),
            // Large futures, for stacks as small as those of tests.
            Self::Session(operation) => Given::Session(Box::pin(operation.run(store)).await),
            Self::Limit(operation) => Given::Limit(Box::pin(operation.run(side)).await),
            Self::Scan(prefix, about) => Given::Keys(kind(scan::all(store, prefix, *about).await)),
        }
    }
}

fn held(answer: Result<Option<Entry>>) -> Answer<Option<(Bytes, Version)>> {
    let held = kind(answer)?;
    Ok(held.map(|entry| (entry.value, entry.version)))
}
