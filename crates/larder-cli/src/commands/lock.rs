use larder::Key;
use larder::store::program::Record;
use larder::structures::lock::{Permits, Release};
use larder_ops::records::{LockHolder, field, keys_of, lock_holders, lock_name};
use larder_ops::text::of;
use larder_ops::time::{now, until};
use serde_json::json;

use super::{DONE, NOT_DONE};
use crate::args::Lock;
use crate::error::{Error, Result};
use crate::key;
use crate::output::Output;
use crate::scan;
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
            break_lock(target, &keys_of::<Permits>(lock, lock), output).await
        }
    }
}

async fn list(target: &Target, limit: usize, output: &mut Output<'_, '_>) -> Result<u8> {
    let mut rows = Vec::new();
    let found = scan::list::<Permits>(target, output, limit).await?;
    for (key, shown) in &found.readable {
        let waiting = field(shown, "queue").and_then(|count| count.parse::<u64>().ok());
        let waiting = waiting.unwrap_or_default();
        let lock = json!(lock_name(key));
        let holders = lock_holders(shown, now());
        if holders.is_empty() && waiting > 0 {
            let nobody = serde_json::Value::Null;
            rows.push(vec![lock.clone(), nobody.clone(), nobody, json!(waiting)]);
        }
        rows.extend(holders.iter().map(|holder| {
            let ends = json!(until(holder.ends));
            vec![
                lock.clone(),
                json!(holder.fence.as_u64()),
                ends,
                json!(waiting),
            ]
        }));
    }
    let columns = ["lock", "fence", "lease ends", "waiting in order"];
    output.listing(&columns, rows, &found.rest())?;
    Ok(DONE)
}

/// Returns the first of some locks that anybody holds, and its holders.
async fn held<'a>(target: &Target, keys: &'a [Key]) -> Result<Option<(&'a Key, Vec<LockHolder>)>> {
    let programs = target.programs()?;
    for key in keys {
        let shown = programs.inspect::<Permits>(key).await?;
        let holders = lock_holders(&shown, now());
        if !holders.is_empty() {
            return Ok(Some((key, holders)));
        }
    }
    Ok(None)
}

async fn break_lock(target: &Target, keys: &[Key], output: &mut Output<'_, '_>) -> Result<u8> {
    let Some((key, holders)) = held(target, keys).await? else {
        output.done(0, "", "holders: nobody holds this lock")?;
        return Ok(NOT_DONE);
    };
    let programs = target.programs()?;
    let what = format!(
        "This takes the lock {} from {}. They notice at their next renewal, and may keep working until then.",
        lock_name(key),
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
    let json = json!({ "done": broken, "lock": lock_name(key) });
    if broken == 0 {
        let text = "0 holders: they have released or lost it meanwhile";
        output.either(&json, text)?;
        return Ok(NOT_DONE);
    }
    let holders = of(broken, "holder has", "holders have");
    output.either(
        &json,
        &format!("{holders} lost the lock {}", lock_name(key)),
    )?;
    Ok(DONE)
}
