//! The records that a policy has of visitors.

use std::collections::BTreeSet;

use larder::Key;
use larder::rate_limit::{NamedVisitor, Tat, Usage};
use larder::store::program::Record;

use crate::error::{Error, Result};
use crate::key;
use crate::output::Output;
use crate::scan::{id_of, inspect, records};
use crate::target::Target;

/// The records of visitors: of policies of a single quota, and of policies of several rules.
pub(super) struct Visitors {
    pub(super) quotas: Vec<Key>,
    pub(super) usages: Vec<Key>,
    /// Whether there are more than requested.
    pub(super) has_more: bool,
    /// Whether all of them are of one visitor.
    is_one: bool,
}

impl Visitors {
    /// Returns the records in which a policy may keep one visitor: which one it is, only the app knows.
    ///
    /// The visitor is named by a whole key in the namespace of the target, or by an id.
    pub(super) fn named(target: &Target, policy: &str, text: &str) -> Result<Self> {
        let text = key::named(&target.prefix, text, &[Tat::KIND, Usage::KIND])?;
        let named = NamedVisitor::new(policy, text);
        let named = named.ok_or_else(|| {
            Error::usage(format!(
                "this key belongs to another policy, not to {policy}"
            ))
        })?;
        Ok(Self {
            quotas: named.quotas().to_vec(),
            usages: named.usages().to_vec(),
            has_more: false,
            is_one: true,
        })
    }

    pub(super) async fn all(
        target: &Target,
        policy: &str,
        limit: usize,
        output: &mut Output<'_, '_>,
    ) -> Result<Self> {
        // The key of the visitor 0.
        let first = Key::new(Tat::KIND, (policy, 0_u8));
        let start = key::start_of(&first)?;
        let quotas = records::<Tat>(target, output, start, limit).await?;
        let usages = records::<Usage>(target, output, start, limit).await?;
        Ok(Self {
            has_more: quotas.has_more || usages.has_more,
            quotas: quotas.keys,
            usages: usages.keys,
            is_one: false,
        })
    }

    /// Returns those that exist.
    pub(super) async fn existing(&self, target: &Target) -> Result<Self> {
        Ok(Self {
            quotas: existing::<Tat>(target, &self.quotas).await?,
            usages: existing::<Usage>(target, &self.usages).await?,
            ..*self
        })
    }

    /// Keeps the records of a single quota or those of several rules, whichever `others` of the policy have.
    ///
    /// All ids stay: a policy may identify its visitors by user, or else by address, and which one a
    /// visitor without a record gets, only the app knows.
    pub(super) fn retain_records_of(&mut self, others: &Self) {
        match (others.quotas.is_empty(), others.usages.is_empty()) {
            (true, false) => self.quotas.clear(),
            (false, true) => self.usages.clear(),
            _ => {}
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.quotas.is_empty() && self.usages.is_empty()
    }

    pub(super) fn count(&self) -> u64 {
        if self.is_one {
            return u64::from(!self.is_empty());
        }
        let all = self.quotas.iter().chain(&self.usages);
        all.map(id_of).collect::<BTreeSet<_>>().len() as u64
    }
}

async fn existing<R: Record>(target: &Target, keys: &[Key]) -> Result<Vec<Key>> {
    let found = inspect::<R>(target, keys).await?.readable.into_iter();
    Ok(found.map(|(key, _)| key).collect())
}
