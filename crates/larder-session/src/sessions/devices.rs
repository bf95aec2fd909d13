use larder_store::program::Run;
use larder_store::{Timestamp, Ttl};

use super::Sessions;
use crate::everyone_record::{EveryoneRecord, ReadEveryone};
use crate::session_key::DEVICE;
use crate::session_record::Peeked;
use crate::token::DeviceId;
use crate::user_record::{ListSessions, ReadRevocationState, UserRecord};
use crate::{CookieExpiry, EndReason, Result, UserId};

/// A session in a user's list of devices. All times are by the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The id by which it can be revoked.
    pub id: DeviceId,
    /// The name that the app gave it, with [`name_device`](crate::Session::name_device).
    pub name: Option<String>,
    /// When the session was created.
    pub created: Timestamp,
    /// When the user signed in on it.
    pub signed_in: Timestamp,
    /// How the user signed in on it, if [the app said](crate::SignInOptions::with_method).
    pub method: Option<String>,
    /// Its last recorded use. The last use itself may be later, by less than a
    /// [touch interval](crate::Lifetime::touch_interval).
    pub last_seen: Timestamp,
    /// When it ends if it is not used again.
    pub expires: Timestamp,
    /// When it ends at the latest, however often it is used.
    pub ends: Timestamp,
    /// The time that it may be idle.
    pub idle: Ttl,
    /// The cookie expiry that its sign-in chose. None if the layer's cookie decides.
    pub cookie_expiry: Option<CookieExpiry>,
    /// Whether it is the session of the current request.
    pub is_current: bool,
}

impl Sessions {
    /// Returns the living sessions of `user`, the most recently used one first. Two round trips.
    ///
    /// # Errors
    /// [`SessionErrorKind::Unavailable`](crate::SessionErrorKind::Unavailable) if the store fails.
    pub async fn devices(&self, user: &str) -> Result<Vec<Device>> {
        self.devices_seen_by(user, None).await
    }

    /// Ends one session of `user`, and returns whether it is gone now.
    ///
    /// A session of another user stays, and the answer is `false`. It takes effect at the next request of any
    /// process. Two round trips; the last one only frees space.
    ///
    /// # Errors
    /// Those of [`UserId::new`], and [`SessionErrorKind::Unavailable`](crate::SessionErrorKind::Unavailable) if the
    /// store fails.
    ///
    /// # Cancellation
    /// The session may or may not have ended.
    pub async fn revoke(&self, user: &str, device: DeviceId) -> Result<bool> {
        self.revoke_because(user, device, EndReason::Administrator)
            .await
    }

    /// Ends one session of `user` as [`revoke`](Self::revoke) does, and gives its browser this reason.
    ///
    /// # Errors
    /// Those of `revoke`.
    ///
    /// # Cancellation
    /// The session may or may not have ended.
    pub async fn revoke_because(
        &self,
        user: &str,
        device: DeviceId,
        reason: EndReason,
    ) -> Result<bool> {
        let user = UserId::new(user)?;
        self.end_listed(device, user.shared(), Some(reason)).await
    }

    /// Ends every session of `user`, including sessions that the list has lost.
    ///
    /// It takes effect at the next request to any process. Three round trips; the last two only free space.
    ///
    /// # Errors
    /// Those of [`UserId::new`], and [`SessionErrorKind::Unavailable`](crate::SessionErrorKind::Unavailable) if the
    /// store fails.
    ///
    /// # Cancellation
    /// All or none may have ended.
    pub async fn revoke_all(&self, user: &str) -> Result<()> {
        self.revoke_all_because(user, EndReason::Administrator)
            .await
    }

    /// Ends every session of `user` as [`revoke_all`](Self::revoke_all) does, and gives the browsers this reason.
    ///
    /// # Errors
    /// Those of `revoke_all`.
    ///
    /// # Cancellation
    /// All or none may have ended.
    pub async fn revoke_all_because(&self, user: &str, reason: EndReason) -> Result<()> {
        let user = UserId::new(user)?;
        let revoked = self.revoke_by(user.shared(), None, None, reason, 0).await?;
        if let Some(revoked) = revoked {
            self.sweep(revoked).await;
        }
        Ok(())
    }

    pub(crate) async fn devices_seen_by(
        &self,
        user: &str,
        current: Option<DeviceId>,
    ) -> Result<Vec<Device>> {
        let key = UserRecord::key(user);
        let all_listed = ListSessions { with_evicted: true };
        let both = self.bounded(async {
            let all = EveryoneRecord::key();
            let (mut list, mut revocation) =
                (Run::new(&all_listed), Run::new(&ReadRevocationState));
            let mut everyone = Run::new(&ReadEveryone);
            let calls = [
                (&key, &mut list as _),
                (&key, &mut revocation as _),
                (&all, &mut everyone as _),
            ];
            let [first, second, third] = self.programs.run_each(calls).await;
            let everyone = self.everyone.readable(everyone.reply(third)?)?;
            Ok((list.reply(first)?, revocation.reply(second)?, everyone))
        });
        let (mut ids, revocation, everyone) = both.await?;
        let Some(revocation) = revocation else {
            return Ok(Vec::new());
        };
        // The current session is listed even if the list has lost it.
        if let Some(current) = current.filter(|current| !ids.contains(current)) {
            ids.push(current);
        }
        let peeked = self.peek(&ids).await?;
        let mut devices: Vec<_> = ids
            .into_iter()
            .zip(peeked)
            .filter_map(|(id, peeked)| Some((id, peeked?)))
            .filter(|(id, peeked)| {
                let held = &peeked.user;
                &*held.id == user && held.all >= everyone && revocation.covers(*id, held)
            })
            .map(|(id, peeked)| self.device(id, peeked, current == Some(id)))
            .collect();
        devices.sort_by_key(|device| std::cmp::Reverse(device.last_seen));
        Ok(devices)
    }

    fn device(&self, id: DeviceId, peeked: Peeked, is_current: bool) -> Device {
        let name = peeked.device.as_ref();
        let name = name.and_then(|name| self.decode(&DEVICE, id, name).ok().flatten());
        Device {
            id,
            name,
            created: Timestamp::from_micros(peeked.created),
            signed_in: Timestamp::from_micros(peeked.user.since),
            method: peeked.user.method.as_deref().map(str::to_owned),
            last_seen: Timestamp::from_micros(peeked.seen),
            expires: Timestamp::from_micros(peeked.idle_at),
            ends: Timestamp::from_micros(peeked.absolute_at),
            idle: Ttl::covering_micros(peeked.choice.idle(self.idle())),
            cookie_expiry: peeked.choice.expiry,
            is_current,
        }
    }
}
