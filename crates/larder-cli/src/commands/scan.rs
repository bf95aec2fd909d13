use larder_ops::keys::Surveyor;
use serde_json::{Value, json};

use super::DONE;
use crate::error::Result;
use crate::output::Output;
use crate::target::Target;

pub(super) async fn run(
    target: &Target,
    prefix: &str,
    largest: usize,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let redis = target.admin();
    // It may be a part of a whole key, as this command lists them.
    let prefix = prefix.strip_prefix(&target.prefix).unwrap_or(prefix);
    let is_measured = redis.is_some();
    // The keys are named whole, as the servers measure them.
    let whole = format!("{}{prefix}", target.prefix);
    let store = match target.redis() {
        Ok(redis) => redis.clone(),
        Err(_) => return count(target, prefix, output).await,
    };
    let store: std::sync::Arc<dyn larder::Store> = store;
    let surveyor = Surveyor::new(redis).with_largest(largest);
    let progress = |survey: &larder_ops::keys::Survey| {
        output.progress(&format!("{} keys", survey.keys));
    };
    let survey = surveyor.survey(&store, &whole, progress).await?;
    output.end_progress();
    if output.is_json() {
        let survey = serde_json::to_value(&survey).map_err(std::io::Error::from)?;
        output.json(&survey)?;
        return Ok(DONE);
    }
    let rows = survey.kinds.iter().map(|(name, kind)| {
        let ttl = match (kind.shortest_ttl_ms, kind.longest_ttl_ms) {
            (Some(shortest), Some(longest)) => {
                json!(format!(
                    "{} to {} s",
                    shortest / 1_000,
                    longest.div_ceil(1_000)
                ))
            }
            _ => Value::Null,
        };
        let estimate = match kind.measured {
            0 => Value::Null,
            _ => json!(kind.bytes()),
        };
        vec![
            json!(name),
            json!(kind.keys),
            estimate,
            json!(kind.largest),
            ttl,
            json!(kind.without_ttl),
        ]
    });
    let columns = ["kind", "keys", "bytes", "largest", "ttl", "without ttl"];
    output.table(&columns, rows.collect())?;
    if !survey.largest.is_empty() {
        output.line("")?;
        let listed = survey.largest.iter();
        let rows = listed.map(|(key, bytes)| vec![json!(bytes), json!(key)]);
        output.table(&["bytes", "largest keys"], rows.collect())?;
    }
    let measured: u64 = survey.kinds.values().map(|kind| kind.measured).sum();
    output.line("")?;
    let note = match is_measured {
        true => format!("{} keys, of which {measured} were measured", survey.keys),
        false => format!("{} keys", survey.keys),
    };
    output.line(&note)?;
    Ok(DONE)
}

/// Counts the keys of shards, which are not measured.
async fn count(target: &Target, prefix: &str, output: &mut Output<'_, '_>) -> Result<u8> {
    let progress = |survey: &larder_ops::keys::Survey| {
        output.progress(&format!("{} keys", survey.keys));
    };
    let survey = Surveyor::new(None)
        .survey(&target.store, prefix, progress)
        .await?;
    output.end_progress();
    let kinds = survey.kinds.iter();
    let rows = kinds.map(|(name, kind)| vec![json!(name), json!(kind.keys)]);
    output.table(&["kind", "keys"], rows.collect())?;
    Ok(DONE)
}
