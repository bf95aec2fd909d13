use larder_rate_limit::{NamedVisitor, Tat, Usage};
use larder_store::Key;
use larder_store::program::{Inspection, Record};

use super::action::Target;
use super::trouble::{Result, Trouble, refused, told, unsure};
use crate::counted::Counted;
use crate::page::state::Shared;
use crate::records::{field, inspect, remove};
use crate::time::now;

/// The records in which a policy keeps a visitor, at least one.
pub(super) struct Visitor {
    quotas: Vec<Key>,
    usages: Vec<Key>,
    /// The bans, each with the time at which it ends.
    pub(super) bans: Counted,
    /// When the last of them ends, in microseconds. 0 if there is none.
    banned_until: i64,
}

impl Visitor {
    /// Finds the records of the visitor that an id or a whole key names.
    pub(super) async fn find(shared: &Shared, target: &Target) -> Result<Self> {
        let (policy, visitor) = (&*target.policy, &*target.subject);
        if policy.is_empty() || visitor.is_empty() {
            return Err(refused("Name the policy and the visitor."));
        }
        let named = NamedVisitor::new(policy, visitor);
        let named = named.ok_or_else(|| refused("This key belongs to another policy."))?;
        let (quotas, quotas_shown) = existing::<Tat>(shared, named.quotas()).await?;
        let (usages, usages_shown) = existing::<Usage>(shared, named.usages()).await?;
        if quotas.is_empty() && usages.is_empty() {
            return Err(refused(
                "This visitor has not used this policy. 'larder limit show POLICY' lists its visitors: name \
                 one as it is listed there.",
            ));
        }
        let shown = quotas_shown.iter().chain(&usages_shown);
        let ends = shown.map(|shown| field(shown, "banned_until_us")?.parse().ok());
        let keys = quotas.iter().chain(&usages).map(Key::as_str);
        let bans = keys.zip(ends).filter_map(|(key, ends)| Some((key, ends?)));
        let bans: Vec<(&str, i64)> = bans.filter(|(_, ends)| *ends > 0).collect();
        Ok(Self {
            bans: Counted::of(&bans),
            banned_until: bans.iter().map(|(_, ends)| *ends).max().unwrap_or(0),
            quotas,
            usages,
        })
    }

    pub(super) fn is_banned(&self) -> bool {
        self.banned_until > now().as_micros()
    }

    /// Gives the visitor the whole quota back, unless it was banned since the question.
    pub(super) async fn reset(&self, shared: &Shared, counted: &Counted) -> Result<u64> {
        if !counted.covers(&self.bans) {
            let text = "The visitor has been banned meanwhile: look again.";
            return Err(Trouble::Refused(text.to_owned()));
        }
        let programs = &*shared.programs;
        let quotas = remove::<Tat>(programs, &self.quotas, |_| {}).await;
        quotas.map_err(unsure)?;
        let usages = remove::<Usage>(programs, &self.usages, |_| {}).await;
        usages.map(|_| 1).map_err(unsure)
    }
}

/// Returns those of the possible records that exist.
async fn existing<R: Record>(shared: &Shared, keys: &[Key]) -> Result<(Vec<Key>, Vec<Inspection>)> {
    let found = inspect::<R>(&*shared.programs, keys).await.into_iter();
    let found = found.map(|(key, shown)| Ok((key, shown.map_err(told)?)));
    let found = found.collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().unzip())
}
