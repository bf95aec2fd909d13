use larder_store::Key;
use larder_structures::lock::{Permits, Release};

use super::trouble::{Result, refused, told, unsure};
use crate::page::state::Shared;
use crate::records::{lock_holders, record_key};
use crate::time::now;

/// Reads the key of a lock.
pub(super) fn lock(key: &str) -> Result<Key> {
    record_key::<Permits>(key).map_err(|_| refused("This is not the key of a lock."))
}

/// Returns the holders of a lock, at least one.
pub(super) async fn holders(shared: &Shared, key: &Key) -> Result<Vec<u64>> {
    let shown = shared.programs.inspect::<Permits>(key).await;
    let holders = lock_holders(&shown.map_err(told)?, now());
    if holders.is_empty() {
        return Err(refused("Nobody holds this lock any more."));
    }
    Ok(holders
        .into_iter()
        .map(|holder| holder.fence.as_u64())
        .collect())
}

/// Takes the lock from the holders that the question showed, and from no later ones.
pub(super) async fn break_lock(shared: &Shared, key: &Key, fences: &[i64]) -> Result<u64> {
    let mut broken = 0;
    for &fence in fences {
        let release = Release { fence };
        let was_held = shared.programs.run(key, &release).await.map_err(unsure)?;
        broken += u64::from(was_held);
    }
    match broken {
        0 => Err(refused("These holders have already released the lock.")),
        broken => Ok(broken),
    }
}
