//! Lists the records of a kind.

use larder::store::Key;
use larder::store::program::Record;
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
