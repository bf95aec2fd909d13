//! The commands about rate limits.

mod visitors;

use std::time::Duration;

use larder::Key;
use larder::rate_limit::{Policy, Quota, RateLimiter, Rule, Tat, Usage, Window};
use larder::store::Timestamp;
use larder::store::program::{Inspection, Record};
use larder_ops::time::{now, span, until};
use serde_json::json;

use super::{DONE, NOT_DONE};
use crate::args::Limit;
use crate::error::{Error, Result};
use crate::key::RawId;
use crate::output::Output;
use crate::scan::{id_of, inspect, remove};
use crate::target::Target;
use visitors::{Visitors, named};

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
                Some(visitor) => Visitors::one(policy, named(target, policy, visitor)?),
                None => Visitors::all(target, policy, *limit, output).await?,
            };
            show(target, visitors, *limit, output).await
        }
        Limit::Ban {
            policy,
            visitor,
            lasts,
        } => {
            let visitor = named(target, policy, visitor)?;
            let records = Records::of(target, policy, visitor, output).await?;
            ban(target, &records, policy, visitor, *lasts, output).await
        }
        Limit::Forgive { policy, visitor } => {
            let visitor = named(target, policy, visitor)?;
            forgive(target, policy, visitor, output).await
        }
        Limit::Reset {
            policy,
            visitor: Some(visitor),
            ..
        } => {
            let visitors = Visitors::one(policy, named(target, policy, visitor)?);
            reset(target, visitors, output).await
        }
        Limit::Reset {
            policy, all: true, ..
        } => {
            let visitors = Visitors::all(target, policy, usize::MAX, output).await?;
            reset(target, visitors, output).await
        }
        Limit::Reset { .. } => Err(Error::usage("name a visitor, or --all")),
    }
}

/// No quota of an app takes longer to come back, so a change with this one keeps what is used.
const LONGEST: Quota = Quota::new(1, Duration::from_secs(9 * 365 * 86_400));

/// The records in which the policy of an app may keep a visitor.
#[derive(Clone, Copy)]
struct Records {
    /// That of a single quota.
    quota: bool,
    /// That of several rules.
    usage: bool,
    /// Whether the policy has any visitor.
    is_known: bool,
}

impl Records {
    /// Finds out, by this visitor and then by others, which sort of policy it is.
    async fn of(
        target: &Target,
        policy: &str,
        visitor: &str,
        output: &mut Output<'_, '_>,
    ) -> Result<Self> {
        let own = Visitors::one(policy, visitor);
        if own.quotas.is_empty() || own.usages.is_empty() {
            return Ok(Self {
                quota: !own.quotas.is_empty(),
                usage: !own.usages.is_empty(),
                is_known: true,
            });
        }
        let own = Self {
            quota: !shown::<Tat>(target, &own.quotas).await?.is_empty(),
            usage: !shown::<Usage>(target, &own.usages).await?.is_empty(),
            is_known: true,
        };
        if own.quota || own.usage {
            return Ok(own);
        }
        let others = Visitors::all(target, policy, 1, output).await?;
        let found = (!others.quotas.is_empty(), !others.usages.is_empty());
        Ok(match found {
            // It may be either, and the other one ends with the ban.
            (false, false) => Self {
                quota: true,
                usage: true,
                is_known: false,
            },
            (quota, usage) => Self {
                quota,
                usage,
                is_known: true,
            },
        })
    }
}

/// Returns a limiter of the records of a single quota.
fn by_quota(target: &Target, policy: &str) -> Result<RateLimiter> {
    Ok(RateLimiter::new(target.store.clone(), policy, LONGEST)?)
}

/// Returns a limiter of the records of several rules. Which these are is not known here, so what a visitor has
/// used of them is forgotten.
fn by_usage(target: &Target, policy: &str) -> Result<RateLimiter> {
    let any = Rule::fixed_window(1, Window::every(Duration::from_secs(1)));
    let policy_of_one = Policy::new(any);
    Ok(RateLimiter::new(
        target.store.clone(),
        policy,
        policy_of_one,
    )?)
}

async fn ban(
    target: &Target,
    records: &Records,
    policy: &str,
    visitor: &str,
    lasts: Duration,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let note = match records.is_known {
        true => "",
        false => " Nobody has used this policy lately: is its name right?",
    };
    let what = format!(
        "This refuses every request of 1 visitor for {}.{note}",
        span(lasts)
    );
    if !output.confirm(&what)? {
        return Ok(NOT_DONE);
    }
    if records.quota {
        let visitor = RawId::of_visitor::<Tat>(policy, visitor)?;
        by_quota(target, policy)?.ban(visitor, lasts).await?;
    }
    if records.usage {
        let visitor = RawId::of_visitor::<Usage>(policy, visitor)?;
        by_usage(target, policy)?.ban(visitor, lasts).await?;
    }
    output.done(1, "visitor is banned")?;
    Ok(DONE)
}

async fn forgive(
    target: &Target,
    policy: &str,
    visitor: &str,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let records = Visitors::one(policy, visitor);
    let quotas = shown::<Tat>(target, &records.quotas).await?;
    let usages = shown::<Usage>(target, &records.usages).await?;
    let (by_quotas, by_usages) = (quotas.iter().any(is_banned), usages.iter().any(is_banned));
    if by_quotas {
        let visitor = RawId::of_visitor::<Tat>(policy, visitor)?;
        by_quota(target, policy)?.forgive(visitor).await?;
    }
    if by_usages {
        let visitor = RawId::of_visitor::<Usage>(policy, visitor)?;
        by_usage(target, policy)?.forgive(visitor).await?;
    }
    match by_quotas || by_usages {
        true => output.done(1, "ban has ended")?,
        false => output.done(0, "bans: this visitor is not banned")?,
    }
    Ok(if by_quotas || by_usages {
        DONE
    } else {
        NOT_DONE
    })
}

/// Shows the records that exist.
async fn shown<R: Record>(target: &Target, keys: &[Key]) -> Result<Vec<Inspection>> {
    let found = inspect::<R>(target, keys).await?;
    Ok(found.readable.into_iter().map(|(_, shown)| shown).collect())
}

fn is_banned(shown: &Inspection) -> bool {
    let mut fields = shown.fields().iter();
    let until = fields.find(|(name, _)| name == "banned_until_us");
    let until: Option<i64> = until.and_then(|(_, until)| until.parse().ok());
    until.is_some_and(|until| until > now().as_micros())
}

async fn show(
    target: &Target,
    visitors: Visitors,
    limit: usize,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let mut rows = Vec::new();
    let quotas = inspect::<Tat>(target, &visitors.quotas).await?;
    let usages = inspect::<Usage>(target, &visitors.usages).await?;
    for (key, shown) in quotas.readable.iter().chain(&usages.readable) {
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
        rows.push(vec![json!(id_of(key)), json!(lines)]);
    }
    let mut rest = quotas.rest();
    rest.unreadable.extend(usages.rest().unreadable);
    rest.cut_at = visitors.has_more.then_some(limit);
    output.listing(&["visitor", "state"], rows, &rest)?;
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
