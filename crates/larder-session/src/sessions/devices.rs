use std::sync::Arc;

use larder_store::{Run, Timestamp, Ttl};

use super::Sessions;
use super::steps::{owner_key, session_key};
use crate::owner::{ReadStanding, Roster};
use crate::record::{Peek, Peeked};
use crate::token::DeviceId;
use crate::{CookieExpiry, Result, UserId, value};

/// One of a user's sessions, as a list of devices shows it. All times are by the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// What to revoke it by.
    pub id: DeviceId,
    /// What the app called it, with [`name_device`](crate::Session::name_device).
    pub name: Option<String>,
    /// When the session began.
    pub created: Timestamp,
    /// When the user signed in on it.
    pub signed_in: Timestamp,
    /// When it was last seen, at most a [touch](crate::Lifetime::touch) late.
    pub last_seen: Timestamp,
    /// When it ends, if it is not seen again.
    pub expires: Timestamp,
    /// When it ends at the latest, however often it is seen.
    pub ends: Timestamp,
    /// How long it may be idle.
    pub idle: Ttl,
    /// What its sign-in chose for the cookie; None means what the layer's cookie says.
    pub cookie_expiry: Option<CookieExpiry>,
    /// Whether it is the session of the request that asks.
    pub is_current: bool,
}

impl Sessions {
    /// The sessions of `user` that are in force, the one seen last at the front. Two round trips.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the store fails.
    pub async fn devices(&self, user: &str) -> Result<Vec<Device>> {
        self.devices_seen_by(user, None).await
    }

    /// Ends one session of `user`, and tells whether it is gone now: it is not where it is another
    /// user's. In force at the next request of any process. One round trip.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the store fails.
    ///
    /// # Cancellation
    /// The session may or may not have ended.
    pub async fn revoke(&self, user: &str, device: DeviceId) -> Result<bool> {
        self.end(device, Some(&Arc::from(user))).await
    }

    /// Ends every session of `user`, listed or not. In force at the next request of any process.
    /// Three round trips, of which the last two only give back room.
    ///
    /// # Errors
    /// As [`UserId::new`] gives them, and [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable)
    /// where the store fails.
    ///
    /// # Cancellation
    /// All or none may have ended.
    pub async fn revoke_all(&self, user: &str) -> Result<()> {
        let user = UserId::new(user)?;
        self.revoke_by(user.shared(), None, None).await?;
        Ok(())
    }

    pub(crate) async fn devices_seen_by(
        &self,
        user: &str,
        current: Option<DeviceId>,
    ) -> Result<Vec<Device>> {
        let key = owner_key(user);
        let both = self.bounded(async {
            let (mut roster, mut standing) = (Run::new(&Roster), Run::new(&ReadStanding));
            let calls = [(&key, &mut roster as _), (&key, &mut standing as _)];
            let [first, second] = self.programs.run_each(calls).await;
            Ok((roster.reply(first)?, standing.reply(second)?))
        });
        let (mut ids, standing) = both.await?;
        let Some(standing) = standing else {
            return Ok(Vec::new());
        };
        // Whatever became of the list, the session that asks is there.
        if let Some(current) = current.filter(|current| !ids.contains(current)) {
            ids.push(current);
        }
        let steps: Vec<_> = ids.iter().map(|id| (session_key(*id), Peek)).collect();
        let peeks = async { self.programs.run_many(&steps).await.into_iter().collect() };
        let peeked: Vec<Option<Peeked>> = self.bounded(peeks).await?;
        let mut devices: Vec<_> = ids
            .into_iter()
            .zip(peeked)
            .filter_map(|(id, peeked)| Some((id, peeked?)))
            .filter(|(id, peeked)| {
                &*peeked.owner.user == user && standing.covers(*id, &peeked.owner)
            })
            .map(|(id, peeked)| self.device(id, peeked, current == Some(id)))
            .collect();
        devices.sort_by_key(|device| std::cmp::Reverse(device.last_seen));
        Ok(devices)
    }

    fn device(&self, id: DeviceId, peeked: Peeked, is_current: bool) -> Device {
        let name = peeked.device.and_then(|name| value::decode(&name).ok());
        Device {
            id,
            name,
            created: Timestamp::from_micros(peeked.created),
            signed_in: Timestamp::from_micros(peeked.owner.since),
            last_seen: Timestamp::from_micros(peeked.seen),
            expires: Timestamp::from_micros(peeked.idle_at),
            ends: Timestamp::from_micros(peeked.absolute_at),
            idle: Ttl::covering_micros(peeked.choice.idle(self.idle())),
            cookie_expiry: peeked.choice.expiry,
            is_current,
        }
    }
}
