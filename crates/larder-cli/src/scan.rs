//! Lists the records of a kind.

use larder::store::program::{Inspection, Record};
use larder::store::{ErrorKind, Key, Refusal};
use larder_ops::records::{self, Listed};

use crate::error::{Error, Result};
use crate::output::{Output, Rest};
use crate::target::Target;

pub(crate) use records::id_of;

/// Returns the keys of at most `limit` records of type `R` whose ids begin with `id`.
pub(crate) async fn records<R: Record>(
    target: &Target,
    output: &mut Output<'_, '_>,
    id: &str,
    limit: usize,
) -> Result<Listed> {
    let scan = target.scan()?;
    let mut found = 0;
    let progress = |new: &[Key]| {
        found += new.len();
        output.progress(&format!("{found} found"));
    };
    let listed = records::list::<R>(&*scan, id, limit, progress).await;
    output.end_progress();
    Ok(listed?)
}

/// The records that are stored under keys.
pub(crate) struct Found {
    pub(crate) readable: Vec<(Key, Inspection)>,
    /// The keys that hold data of another client.
    pub(crate) unreadable: Vec<Key>,
    /// The limit that cut the list, if it did.
    cut_at: Option<usize>,
}

impl Found {
    /// Returns what a list of these omits.
    pub(crate) fn rest(&self) -> Rest {
        let ids = self.unreadable.iter().map(id_of);
        Rest {
            unreadable: ids.map(str::to_owned).collect(),
            cut_at: self.cut_at,
        }
    }
}

/// Lists and shows at most `limit` records of type `R`.
pub(crate) async fn list<R: Record>(
    target: &Target,
    output: &mut Output<'_, '_>,
    limit: usize,
) -> Result<Found> {
    let listed = records::<R>(target, output, "", limit).await?;
    let mut found = inspect::<R>(target, &listed.keys).await?;
    found.cut_at = listed.has_more.then_some(limit);
    Ok(found)
}

/// Shows the records of type `R` that exist under `keys`.
///
/// Data of another client does not stop it, but a store that fails does.
pub(crate) async fn inspect<R: Record>(target: &Target, keys: &[Key]) -> Result<Found> {
    let mut found = Found {
        readable: Vec::new(),
        unreadable: Vec::new(),
        cut_at: None,
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

/// Calls `look` with the readable records of type `R`, page by page: of any number, only a page is in memory.
///
/// A record may be on two pages.
pub(crate) async fn each_page<R: Record>(
    target: &Target,
    mut look: impl AsyncFnMut(Vec<(Key, Inspection)>) -> Result<()>,
) -> Result<()> {
    let scan = target.scan()?;
    let mut pages = records::Pages::<R>::new(&*scan, "");
    while let Some(keys) = pages.next().await? {
        look(inspect::<R>(target, &keys).await?.readable).await?;
    }
    Ok(())
}

/// Removes records, and returns how many there were. An error includes how many were removed before
/// it.
pub(crate) async fn remove<R: Record>(
    target: &Target,
    keys: &[Key],
    output: &mut Output<'_, '_>,
) -> Result<u64> {
    let mut before = 0;
    let progress = |removed| {
        before = removed;
        output.progress(&format!("{removed} removed"));
    };
    let removed = records::remove::<R>(&*target.programs()?, keys, progress).await;
    output.end_progress();
    removed.map_err(|error| Error::from(error).after(before, "records were removed"))
}
