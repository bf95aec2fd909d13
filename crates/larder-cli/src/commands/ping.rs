use std::time::Instant;

use serde_json::json;

use super::DONE;
use crate::error::Result;
use crate::output::Output;
use crate::target::Target;

pub(super) async fn run(target: &Target, count: u32, output: &mut Output<'_, '_>) -> Result<u8> {
    let mut rows = Vec::new();
    for server in target.redis()?.admin().servers() {
        let mut times = Vec::new();
        for _ in 0..count {
            let started = Instant::now();
            server.run(&[b"PING"]).await?;
            times.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| {
            let index = ((times.len() - 1) as f64 * part).round() as usize;
            let millis = times.get(index).copied().unwrap_or_default();
            json!((millis * 1_000.0).round() / 1_000.0)
        };
        rows.push(vec![json!(server.location()), at(0.0), at(0.5), at(1.0)]);
    }
    output.table(&["server", "min ms", "median ms", "max ms"], rows)?;
    Ok(DONE)
}
