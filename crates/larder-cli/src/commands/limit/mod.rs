//! The commands about rate limits.

mod rule;
mod visitors;

use std::time::Duration;

use larder::Key;
use larder::rate_limit::{Policy, Quota, RateLimiter, Rule, Tat, Usage};
use larder::store::program::Record;
use larder_ops::counted::Counted;
use larder_ops::records::{self, field};
use larder_ops::text::of;
use larder_ops::time::{now, span};
use serde_json::json;

use super::{DONE, NOT_DONE};
use crate::args::Limit;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::scan::{id_of, inspect, remove};
use crate::target::Target;
use visitors::Visitors;

pub(super) async fn run(
    target: &Target,
    command: &Limit,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        Limit::Show {
            policy,
            visitor: Some(visitor),
            ..
        } => {
            let visitors = Visitors::named(target, policy, visitor)?;
            let visitors = visitors.existing(target).await?;
            if visitors.is_empty() {
                output.either(&json!([]), UNUSED)?;
                return Ok(NOT_DONE);
            }
            show(target, visitors, 0, output).await
        }
        Limit::Show {
            policy,
            visitor: None,
            limit,
        } => {
            let visitors = Visitors::all(target, policy, *limit, output).await?;
            show(target, visitors, *limit, output).await
        }
        Limit::Ban {
            policy,
            visitor,
            lasts,
        } => {
            let visitors = Visitors::named(target, policy, visitor)?;
            ban(target, policy, visitors, *lasts, output).await
        }
        Limit::Forgive { policy, visitor } => {
            let visitors = Visitors::named(target, policy, visitor)?;
            forgive(target, policy, visitors, output).await
        }
        Limit::Reset {
            policy,
            visitor: Some(visitor),
            ..
        } => {
            let visitors = Visitors::named(target, policy, visitor)?;
            let visitors = visitors.existing(target).await?;
            if visitors.is_empty() {
                output.either(&json!({ "done": 0 }), UNUSED)?;
                return Ok(NOT_DONE);
            }
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

const UNUSED: &str =
    "this visitor has not used this policy: `larder limit show POLICY` lists its visitors";

/// No quota of an app takes longer to come back, so a change with this one keeps the used units.
const LONGEST: Quota = Quota::new(1, Duration::from_secs(9 * 365 * 86_400));

/// Returns a limiter of the records of a single quota.
fn by_quota(target: &Target, policy: &str) -> Result<RateLimiter> {
    Ok(RateLimiter::new(target.store.clone(), policy, LONGEST)?)
}

/// Returns a limiter of the records of several rules. These rules are unknown here, so the visitor's used
/// units are forgotten.
///
/// Its rule keeps no numbers, so `limit show` shows none that are not the app's.
fn by_usage(target: &Target, policy: &str) -> Result<RateLimiter> {
    let any = Rule::concurrency(1, Duration::from_secs(1));
    let policy_of_one = Policy::new(any);
    Ok(RateLimiter::new(
        target.store.clone(),
        policy,
        policy_of_one,
    )?)
}

/// The number of visitors of a policy that are read to learn which records it keeps.
const SAMPLE: usize = 100;

/// Returns the records in which the app will look for the visitor, and any doubts about them.
async fn looked_up(
    target: &Target,
    policy: &str,
    mut named: Visitors,
    output: &mut Output<'_, '_>,
) -> Result<(Visitors, Option<&'static str>)> {
    let own = named.existing(target).await?;
    if !own.is_empty() {
        return Ok((own, None));
    }
    if named.quotas.is_empty() || named.usages.is_empty() {
        // A whole key says everything.
        return Ok((named, None));
    }
    let others = Visitors::all(target, policy, SAMPLE, output).await?;
    // The records that the app does not use end with the ban.
    named.retain_records_of(&others);
    Ok(match others.is_empty() {
        true => (
            named,
            Some("No visitor has used this policy recently: is its name right?"),
        ),
        false => (
            named,
            Some("This visitor has not used this policy recently: is the name right?"),
        ),
    })
}

async fn ban(
    target: &Target,
    policy: &str,
    named: Visitors,
    lasts: Duration,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let (visitors, doubt) = looked_up(target, policy, named, output).await?;
    let note = doubt.map(|doubt| format!(" {doubt}")).unwrap_or_default();
    let what = format!(
        "This refuses every request of 1 visitor for {}.{note}",
        span(lasts)
    );
    if !output.confirm(&what)? {
        return Ok(NOT_DONE);
    }
    for key in visitors.quotas {
        by_quota(target, policy)?.ban_record(key, lasts).await?;
    }
    for key in visitors.usages {
        by_usage(target, policy)?.ban_record(key, lasts).await?;
    }
    if output.is_json() {
        output.json(&json!({ "done": 1, "note": doubt }))?;
    } else {
        output.line(&format!("1 visitor is banned.{note}"))?;
    }
    Ok(DONE)
}

async fn forgive(
    target: &Target,
    policy: &str,
    visitors: Visitors,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let quotas = banned::<Tat>(target, &visitors.quotas).await?;
    let usages = banned::<Usage>(target, &visitors.usages).await?;
    if quotas.is_empty() && usages.is_empty() {
        output.done(0, "", "bans: this visitor is not banned")?;
        return Ok(NOT_DONE);
    }
    for key in quotas {
        by_quota(target, policy)?.forgive_record(key).await?;
    }
    for key in usages {
        by_usage(target, policy)?.forgive_record(key).await?;
    }
    output.done(1, "ban has ended", "")?;
    Ok(DONE)
}

/// Returns the records that have a ban.
async fn banned<R: Record>(target: &Target, keys: &[Key]) -> Result<Vec<Key>> {
    let found = inspect::<R>(target, keys).await?.readable.into_iter();
    let banned = found.filter(|(_, shown)| {
        let until = field(shown, "banned_until_us").and_then(|until| until.parse().ok());
        until.is_some_and(|until: i64| until > now().as_micros())
    });
    Ok(banned.map(|(key, _)| key).collect())
}

/// Counts the bans of visitors, each with the time at which it ends.
async fn bans(target: &Target, visitors: &Visitors) -> Result<Counted> {
    let programs = target.programs()?;
    let quotas = records::inspect::<Tat>(&*programs, &visitors.quotas).await;
    let usages = records::inspect::<Usage>(&*programs, &visitors.usages).await;
    // What cannot be read is not removed either, and that is an error of its own.
    let bans = quotas.iter().chain(&usages).filter_map(|(key, shown)| {
        let ends = field(shown.as_ref().ok()?, "banned_until_us")?;
        (ends != "0").then_some((key.as_str(), ends))
    });
    Ok(Counted::of(bans))
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
        let lines = shown.fields().iter();
        let lines: Vec<_> = lines
            .filter_map(|(name, value)| line(name, value))
            .collect();
        let lines = lines.join("; ");
        rows.push(vec![json!(id_of(key)), json!(lines)]);
    }
    let mut rest = quotas.rest();
    rest.unreadable.extend(usages.rest().unreadable);
    rest.cut_at = visitors.has_more.then_some(limit);
    output.listing(&["visitor", "state"], rows, &rest)?;
    Ok(DONE)
}

/// Writes a line of a record. None if it has nothing to show.
fn line(name: &str, value: &str) -> Option<String> {
    let left = |micros: &str| {
        let left = micros
            .parse()
            .ok()
            .map(|micros: i64| micros.saturating_sub(now().as_micros()));
        let left = left.and_then(|left| u64::try_from(left).ok())?;
        Some(span(Duration::from_micros(left)))
    };
    if let Some(ends) = name.strip_prefix("held until_us ") {
        return left(ends).map(|left| format!("{value} held for {left}"));
    }
    if let Some((number, tag)) = name
        .strip_prefix("rule ")
        .and_then(|rule| rule.split_once(' '))
    {
        let used = rule::used(tag, value, now().as_micros());
        return used.map(|used| format!("rule {number}: {used}"));
    }
    match name {
        "refusals" if value == "0" => None,
        "tat_us" => Some(match left(value) {
            Some(left) => format!("whole quota in {left}"),
            None => "whole quota".to_owned(),
        }),
        "banned_until_us" => left(value).map(|left| format!("banned for {left}")),
        "refusals_until_us" => left(value).map(|left| format!("refusals count for {left}")),
        name => Some(format!("{name} {value}")),
    }
}

async fn reset(target: &Target, visitors: Visitors, output: &mut Output<'_, '_>) -> Result<u8> {
    let count = visitors.count();
    if !output.is_sure() {
        let bans = bans(target, &visitors).await?;
        let what = format!(
            "This gives {} the whole quota back, ends their bans, and drops their permits and reservations.",
            of(count, "visitor", "visitors")
        );
        if !output.confirm(&what)? {
            return Ok(NOT_DONE);
        }
        if !bans.covers(&self::bans(target, &visitors).await?) {
            return output.changed("a visitor was banned");
        }
    }
    let quotas = remove::<Tat>(target, &visitors.quotas, output).await?;
    let usages = remove::<Usage>(target, &visitors.usages, output).await;
    let usages = usages.map_err(|error| error.after(quotas, "records were removed"))?;
    // One visitor may have several records.
    let done = count.min(quotas + usages);
    output.done(
        done,
        "visitor has the whole quota again",
        "visitors have their whole quota again",
    )?;
    // They may have gone while somebody read the question.
    Ok(if done == 0 && count > 0 {
        NOT_DONE
    } else {
        DONE
    })
}
