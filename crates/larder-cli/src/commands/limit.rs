use larder::Key;
use larder::rate_limit::{InspectTat, Tat};
use larder::store::Timestamp;
use larder::store::program::Record;
use serde_json::{Value, json};

use super::session::remove;
use super::time::until;
use super::{DONE, NOT_DONE};
use crate::args::Limit;
use crate::error::{Error, Result};
use crate::key;
use crate::output::Output;
use crate::scan::{id_of, records};
use crate::target::Target;

pub(super) async fn run(
    target: &Target,
    command: &Limit,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        Limit::Show {
            policy,
            visitor,
            limit,
        } => {
            let keys = match visitor {
                Some(visitor) => vec![of(policy, visitor)],
                None => records::<Tat>(target, output, &start(policy), *limit).await?,
            };
            show(target, keys, output).await
        }
        Limit::Reset {
            policy,
            visitor: Some(visitor),
            ..
        } => reset(target, vec![of(policy, visitor)], output).await,
        Limit::Reset {
            policy, all: true, ..
        } => {
            let keys = records::<Tat>(target, output, &start(policy), usize::MAX).await?;
            reset(target, keys, output).await
        }
        Limit::Reset { .. } => Err(Error::usage("name a visitor, or --all")),
    }
}

fn of(policy: &str, visitor: &str) -> Key {
    key::record::<Tat>(visitor, (policy, visitor))
}

/// Returns what the ids of a policy begin with.
fn start(policy: &str) -> String {
    let key = Key::new(Tat::KIND, (policy, 0_u8));
    id_of(&key).trim_end_matches('0').to_owned()
}

async fn show(target: &Target, keys: Vec<Key>, output: &mut Output<'_, '_>) -> Result<u8> {
    let programs = target.programs()?;
    let mut rows = Vec::new();
    for keys in keys.chunks(100) {
        let steps: Vec<_> = keys.iter().map(|key| (key.clone(), InspectTat)).collect();
        for (shown, key) in programs.run_many(&steps).await.into_iter().zip(keys) {
            let shown = shown?;
            let tat = shown.fields().first().and_then(|(_, tat)| tat.parse().ok());
            let full = tat.map(Timestamp::from_micros).map(until);
            let full = full.map_or_else(|| json!("now"), Value::String);
            rows.push(vec![json!(id_of(key)), full]);
        }
    }
    output.table(&["visitor", "whole quota again"], rows)?;
    Ok(DONE)
}

async fn reset(target: &Target, keys: Vec<Key>, output: &mut Output<'_, '_>) -> Result<u8> {
    let what = format!("This gives {} visitors their whole quota back.", keys.len());
    if !output.confirm(&what)? {
        return Ok(NOT_DONE);
    }
    let reset = remove::<Tat>(target, keys, output).await?;
    output.done(reset, "visitors have their whole quota again")?;
    Ok(DONE)
}
