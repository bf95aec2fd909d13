//! Lists the records of a kind.

use larder::store::program::{Inspection, Record};
use larder::store::{ErrorKind, Key, Refusal};
use larder_ops::records;

use crate::error::Result;
use crate::output::Output;
use crate::target::Target;

pub(crate) use records::id_of;

/// Returns the keys of the records of type `R` whose ids begin with `id`, `limit` at most.
pub(crate) async fn records<R: Record>(
    target: &Target,
    output: &mut Output<'_, '_>,
    id: &str,
    limit: usize,
) -> Result<Vec<Key>> {
    let scan = target.scan()?;
    let progress = |found| output.progress(&format!("{found} found"));
    let found = records::list::<R>(&*scan, id, limit, progress).await;
    output.end_progress();
    Ok(found?)
}

/// The records that are stored under keys.
pub(crate) struct Found {
    pub(crate) readable: Vec<(Key, Inspection)>,
    /// The keys under which another client has stored something else.
    pub(crate) unreadable: Vec<Key>,
}

impl Found {
    /// Returns the ids of the keys that cannot be read.
    pub(crate) fn unreadable_ids(&self) -> Vec<String> {
        let ids = self.unreadable.iter().map(id_of);
        ids.map(str::to_owned).collect()
    }
}

/// Shows the records of type `R` that exist under `keys`.
///
/// A key of another client does not stop it. A store that fails does.
pub(crate) async fn inspect<R: Record>(target: &Target, keys: &[Key]) -> Result<Found> {
    let mut found = Found {
        readable: Vec::new(),
        unreadable: Vec::new(),
    };
    for (key, shown) in records::inspect::<R>(&*target.programs()?, keys).await {
        match shown {
            Ok(shown) => found.readable.push((key, shown)),
            Err(error) if error.kind() == ErrorKind::Refused(Refusal::WrongType) => {
                found.unreadable.push(key);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Removes records, and returns how many there were.
pub(crate) async fn remove<R: Record>(
    target: &Target,
    keys: &[Key],
    output: &mut Output<'_, '_>,
) -> Result<u64> {
    let progress = |removed| output.progress(&format!("{removed} removed"));
    let removed = records::remove::<R>(&*target.programs()?, keys, progress).await;
    output.end_progress();
    Ok(removed?)
}
