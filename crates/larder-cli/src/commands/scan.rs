use std::sync::Arc;
use std::time::Duration;

use larder::Store;
use larder_ops::keys::{KindSurvey, Survey, Surveyor};
use larder_ops::text::of;
use larder_ops::time::span;
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
    // The prefix may be a part of a whole key, as this command lists them.
    let prefix = prefix.strip_prefix(&target.prefix).unwrap_or(prefix);
    // Servers measure keys by their whole names; keys of shards are only counted.
    let (store, prefix): (Arc<dyn Store>, _) = match target.redis() {
        Ok(redis) => (redis.clone(), format!("{}{prefix}", target.prefix)),
        Err(_) => (target.store.clone(), prefix.to_owned()),
    };
    let is_measured = redis.is_some();
    let surveyor = Surveyor::new(redis).with_largest(largest);
    let progress = |survey: &Survey| output.progress(&format!("{} keys", survey.keys));
    let survey = surveyor.survey(&store, &prefix, progress).await?;
    output.end_progress();
    if output.is_json() {
        let survey = serde_json::to_value(&survey).map_err(std::io::Error::from)?;
        output.json(&survey)?;
        return Ok(DONE);
    }
    let kinds = survey.kinds.iter();
    if survey.keys == 0 {
        output.line("0 keys")?;
        output.hint_at_namespace(true)?;
    } else if is_measured {
        let columns = ["kind", "keys", "bytes", "largest", "ttl", "without ttl"];
        output.table(
            &columns,
            kinds.map(|(name, kind)| row(name, kind)).collect(),
        )?;
        if !survey.largest.is_empty() {
            output.line("")?;
            let listed = survey.largest.iter();
            let rows = listed.map(|(key, bytes)| vec![json!(bytes), json!(key)]);
            output.table(&["bytes", "largest keys"], rows.collect())?;
        }
        let measured: u64 = survey.kinds.values().map(|kind| kind.measured).sum();
        output.line("")?;
        let keys = of(survey.keys, "key", "keys");
        output.line(&format!("{keys}, measured: {measured}"))?;
    } else {
        let rows = kinds.map(|(name, kind)| vec![json!(name), json!(kind.keys)]);
        output.table(&["kind", "keys"], rows.collect())?;
    }
    Ok(DONE)
}

fn row(name: &str, kind: &KindSurvey) -> Vec<Value> {
    let written = |millis: u64| span(Duration::from_millis(millis));
    let ttl = kind.shortest_ttl_ms.zip(kind.longest_ttl_ms);
    let ttl = ttl.map(|(shortest, longest)| (written(shortest), written(longest)));
    let ttl = ttl.map(|(shortest, longest)| match shortest == longest {
        true => shortest,
        false => format!("{shortest} to {longest}"),
    });
    let estimate = (kind.measured > 0).then(|| kind.bytes());
    vec![
        json!(name),
        json!(kind.keys),
        json!(estimate),
        json!(kind.largest),
        json!(ttl),
        json!(kind.without_ttl),
    ]
}
