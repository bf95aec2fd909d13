use larder_rate_limit::{Tat, Usage};
use larder_store::Key;
use larder_store::program::{Inspection, Record};

use super::action::Target;
use super::trouble::{Result, Trouble, refused, told, unsure};
use crate::page::state::Shared;
use crate::records::{Remove, field, is_among, key_of};
use crate::time::now;

/// The records in which a policy may keep a visitor.
pub(super) struct Visitor {
    /// That of a single quota.
    quota: Option<Key>,
    /// That of several rules.
    usage: Option<Key>,
}

/// What a policy knows of a visitor.
pub(super) struct Used {
    /// When a ban ends, in microseconds. 0 if there is none.
    pub(super) banned_until: u64,
}

impl Used {
    pub(super) fn is_banned(&self) -> bool {
        i64::try_from(self.banned_until).is_ok_and(|until| until > now().as_micros())
    }
}

impl Visitor {
    /// Finds the records of a visitor, who is named by an id or by a whole key.
    pub(super) fn named(target: &Target) -> Result<Self> {
        let (policy, visitor) = (&*target.policy, &*target.subject);
        if policy.is_empty() || visitor.is_empty() {
            return Err(refused("Name the policy and the visitor."));
        }
        let whole = Key::parse(visitor, &[Tat::KIND, Usage::KIND]);
        let is_of = |kind| whole.as_ref().map_or(true, |key| key.kind() == kind);
        if let Ok(key) = &whole
            && !is_among(key, &Key::new(key.kind(), (policy, 0_u8)))
        {
            return Err(refused("This key is of another policy."));
        }
        Ok(Self {
            quota: is_of(Tat::KIND).then(|| key_of::<Tat>(visitor, (policy, visitor))),
            usage: is_of(Usage::KIND).then(|| key_of::<Usage>(visitor, (policy, visitor))),
        })
    }

    /// Reads what the policy knows of the visitor, which is something.
    pub(super) async fn look(&self, shared: &Shared) -> Result<Used> {
        let quota = look::<Tat>(shared, self.quota.as_ref()).await?;
        let usage = look::<Usage>(shared, self.usage.as_ref()).await?;
        let known: Vec<_> = quota.iter().chain(&usage).collect();
        if known.is_empty() {
            return Err(refused(
                "This visitor has used nothing of this policy. If the app tells visitors apart by several \
                 values, name a whole key, such as limit:{sign-in:7:web}.",
            ));
        }
        let bans = known
            .iter()
            .filter_map(|shown| field(shown, "banned_until_us")?.parse().ok());
        Ok(Used {
            banned_until: bans.max().unwrap_or(0),
        })
    }

    /// Gives the visitor the whole quota back, unless a ban was put on it since the question.
    pub(super) async fn reset(&self, shared: &Shared, banned_until: u64) -> Result<u64> {
        if self.look(shared).await?.banned_until > banned_until {
            let text = "The visitor has been banned meanwhile: ask again.";
            return Err(Trouble::Refused(text.to_owned()));
        }
        remove::<Tat>(shared, self.quota.as_ref()).await?;
        remove::<Usage>(shared, self.usage.as_ref()).await?;
        Ok(1)
    }
}

async fn look<R: Record>(shared: &Shared, key: Option<&Key>) -> Result<Option<Inspection>> {
    let Some(key) = key else {
        return Ok(None);
    };
    let shown = shared.programs.inspect::<R>(key).await.map_err(told)?;
    Ok((!shown.fields().is_empty()).then_some(shown))
}

async fn remove<R: Record>(shared: &Shared, key: Option<&Key>) -> Result<()> {
    let Some(key) = key else {
        return Ok(());
    };
    let removed = shared.programs.run(key, &Remove::<R>::new()).await;
    removed.map(drop).map_err(unsure)
}
