//! The records that a policy has of visitors.

use std::collections::BTreeSet;

use larder::rate_limit::{Tat, Usage};
use larder::store::program::Record;
use larder::{Key, Kind};
use larder_ops::records::{is_among, key_of};

use crate::error::{Error, Result};
use crate::key;
use crate::output::Output;
use crate::scan::{id_of, records};
use crate::target::Target;

/// The records of visitors: of policies of a single quota, and of policies of several rules.
pub(super) struct Visitors {
    pub(super) quotas: Vec<Key>,
    pub(super) usages: Vec<Key>,
    /// Whether there are more than were asked for.
    pub(super) has_more: bool,
}

impl Visitors {
    /// Returns what one visitor may have: which of the two is not known without the app.
    pub(super) fn one(policy: &str, visitor: &str) -> Self {
        let is_whole = |kind| Key::parse(visitor, &[kind]).is_ok();
        let (is_quota, is_usage) = (is_whole(Tat::KIND), is_whole(Usage::KIND));
        let quota = key_of::<Tat>(visitor, (policy, visitor));
        let usage = key_of::<Usage>(visitor, (policy, visitor));
        Self {
            quotas: if is_usage { Vec::new() } else { vec![quota] },
            usages: if is_quota { Vec::new() } else { vec![usage] },
            has_more: false,
        }
    }

    pub(super) async fn all(
        target: &Target,
        policy: &str,
        limit: usize,
        output: &mut Output<'_, '_>,
    ) -> Result<Self> {
        let first = first_of(Tat::KIND, policy);
        let start = key::start_of(&first)?;
        let quotas = records::<Tat>(target, output, start, limit).await?;
        let usages = records::<Usage>(target, output, start, limit).await?;
        Ok(Self {
            has_more: quotas.has_more || usages.has_more,
            quotas: quotas.keys,
            usages: usages.keys,
        })
    }

    pub(super) fn count(&self) -> usize {
        let all = self.quotas.iter().chain(&self.usages);
        all.map(id_of).collect::<BTreeSet<_>>().len()
    }
}

/// Returns what names a visitor in the namespace of the target: a whole key of this policy, or an id as it is.
pub(super) fn named<'a>(target: &Target, policy: &str, text: &'a str) -> Result<&'a str> {
    let kinds = [Tat::KIND, Usage::KIND];
    let text = key::named(&target.prefix, text, &kinds)?;
    match Key::parse(text, &kinds) {
        Ok(key) if !is_among(&key, &first_of(key.kind(), policy)) => Err(Error::usage(format!(
            "this key is of another policy than {policy}"
        ))),
        _ => Ok(text),
    }
}

/// Returns the key of the visitor 0 of a policy.
fn first_of(kind: Kind, policy: &str) -> Key {
    Key::new(kind, (policy, 0_u8))
}
