use std::collections::BTreeSet;

use larder::Key;
use larder::rate_limit::{Tat, Usage};
use larder::store::Timestamp;
use larder::store::program::Record;
use larder_ops::records::inspect;
use larder_ops::time::until;
use serde_json::json;

use super::{DONE, NOT_DONE};
use crate::args::Limit;
use crate::error::{Error, Result};
use crate::key;
use crate::output::Output;
use crate::scan::{id_of, records, remove};
use crate::target::Target;

/// The records of visitors: of policies of a single quota, and of policies of several rules.
struct Visitors {
    quotas: Vec<Key>,
    usages: Vec<Key>,
}

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
            let visitors = match visitor {
                Some(visitor) => Visitors::one(policy, visitor),
                None => Visitors::all(target, policy, *limit, output).await?,
            };
            show(target, visitors, output).await
        }
        Limit::Reset {
            policy,
            visitor: Some(visitor),
            ..
        } => reset(target, Visitors::one(policy, visitor), output).await,
        Limit::Reset {
            policy, all: true, ..
        } => {
            let visitors = Visitors::all(target, policy, usize::MAX, output).await?;
            reset(target, visitors, output).await
        }
        Limit::Reset { .. } => Err(Error::usage("name a visitor, or --all")),
    }
}

impl Visitors {
    /// Returns what one visitor may have: which of the two is not known without the app.
    fn one(policy: &str, visitor: &str) -> Self {
        let is_whole = |kind| Key::parse(visitor, &[kind]).is_ok();
        let (is_quota, is_usage) = (is_whole(Tat::KIND), is_whole(Usage::KIND));
        let quota = key::record::<Tat>(visitor, (policy, visitor));
        let usage = key::record::<Usage>(visitor, (policy, visitor));
        Self {
            quotas: if is_usage { Vec::new() } else { vec![quota] },
            usages: if is_quota { Vec::new() } else { vec![usage] },
        }
    }

    async fn all(
        target: &Target,
        policy: &str,
        limit: usize,
        output: &mut Output<'_, '_>,
    ) -> Result<Self> {
        let first = Key::new(Tat::KIND, (policy, 0_u8));
        let start = id_of(&first).trim_end_matches('0');
        Ok(Self {
            quotas: records::<Tat>(target, output, start, limit).await?,
            usages: records::<Usage>(target, output, start, limit).await?,
        })
    }

    fn count(&self) -> usize {
        let all = self.quotas.iter().chain(&self.usages);
        all.map(id_of).collect::<BTreeSet<_>>().len()
    }
}

async fn show(target: &Target, visitors: Visitors, output: &mut Output<'_, '_>) -> Result<u8> {
    let (programs, mut rows) = (target.programs()?, Vec::new());
    let quotas = inspect::<Tat>(&*programs, &visitors.quotas).await;
    let usages = inspect::<Usage>(&*programs, &visitors.usages).await;
    for (key, shown) in quotas.into_iter().chain(usages) {
        let shown = shown?;
        let lines = shown.fields().iter().map(|(name, value)| {
            let micros = value.parse().ok().filter(|_| name.contains("_us"));
            match (name.as_str(), micros) {
                ("tat_us", Some(tat)) => {
                    format!("whole quota {}", until(Timestamp::from_micros(tat)))
                }
                (name, Some(0)) => format!("{} never", name.replace("_us", "")),
                (name, Some(time)) => {
                    format!(
                        "{} {}",
                        name.replace("_us", ""),
                        until(Timestamp::from_micros(time))
                    )
                }
                (name, None) => format!("{name} {value}"),
            }
        });
        let lines = lines.collect::<Vec<_>>().join("; ").replace('_', " ");
        rows.push(vec![json!(id_of(&key)), json!(lines)]);
    }
    output.table(&["visitor", "state"], rows)?;
    Ok(DONE)
}

async fn reset(target: &Target, visitors: Visitors, output: &mut Output<'_, '_>) -> Result<u8> {
    let what = format!(
        "This gives {} visitors their whole quota back, and forgets bans and what they hold.",
        visitors.count()
    );
    if !output.confirm(&what)? {
        return Ok(NOT_DONE);
    }
    let quotas = remove::<Tat>(target, &visitors.quotas, output).await?;
    let usages = remove::<Usage>(target, &visitors.usages, output).await?;
    output.done(quotas + usages, "visitors have their whole quota again")?;
    Ok(DONE)
}
