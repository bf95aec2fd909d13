use larder::Key;
use larder::store::program::Record;
use larder::structures::lock::{Permits, Release};
use larder_ops::records::{field, key_of, lock_holders};
use larder_ops::text::of;
use larder_ops::time::{now, until};
use serde_json::json;

use super::{DONE, NOT_DONE};
use crate::args::Lock;
use crate::error::{Error, Result};
use crate::key;
use crate::output::Output;
use crate::scan::{self, id_of};
use crate::target::Target;

pub(super) async fn run(
    target: &Target,
    command: &Lock,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        Lock::Ls { limit } => list(target, *limit, output).await,
        Lock::Break { lock } => {
            let lock = key::named(&target.prefix, lock, &[Permits::KIND])?;
            let key = key_of::<Permits>(lock, lock);
            break_lock(target, &key, output).await
        }
    }
}

async fn list(target: &Target, limit: usize, output: &mut Output<'_, '_>) -> Result<u8> {
    let mut rows = Vec::new();
    let found = scan::list::<Permits>(target, output, limit).await?;
    for (key, shown) in &found.readable {
        let waiting = field(shown, "queue").unwrap_or("0");
        let (lock, waiting) = (json!(id_of(key)), json!(waiting));
        let holders = lock_holders(shown, now());
        if holders.is_empty() && waiting != "0" {
            let nobody = serde_json::Value::Null;
            rows.push(vec![lock.clone(), nobody.clone(), nobody, waiting.clone()]);
        }
        rows.extend(holders.iter().map(|holder| {
            let ends = json!(until(holder.ends));
            vec![
                lock.clone(),
                json!(holder.fence.as_u64()),
                ends,
                waiting.clone(),
            ]
        }));
    }
    let columns = ["lock", "fence", "lease ends", "waiting in order"];
    output.listing(&columns, rows, &found.rest())?;
    Ok(DONE)
}

async fn break_lock(target: &Target, key: &Key, output: &mut Output<'_, '_>) -> Result<u8> {
    let programs = target.programs()?;
    let shown = programs.inspect::<Permits>(key).await?;
    let holders = lock_holders(&shown, now());
    if holders.is_empty() {
        output.done(0, "", "holders: nobody holds this lock")?;
        return Ok(NOT_DONE);
    }
    let what = format!(
        "This takes the lock from {}. They notice at their next renewal, and may keep working until then.",
        of(holders.len() as u64, "holder", "holders")
    );
    if !output.confirm(&what)? {
        return Ok(NOT_DONE);
    }
    let mut broken = 0;
    for holder in holders {
        let release = Release {
            fence: i64::try_from(holder.fence.as_u64()).unwrap_or(i64::MAX),
        };
        let was_held = programs.run(key, &release).await;
        let was_held =
            was_held.map_err(|error| Error::from(error).after(broken, "holders lost the lock"))?;
        broken += u64::from(was_held);
    }
    if broken == 0 {
        output.done(0, "", "holders: they have released or lost it meanwhile")?;
        return Ok(NOT_DONE);
    }
    output.done(
        broken,
        "holder has lost the lock",
        "holders have lost the lock",
    )?;
    Ok(DONE)
}
