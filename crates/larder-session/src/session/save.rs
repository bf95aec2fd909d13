//! Writing changes: at once, and when the handler returns.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::too_large;
use super::pending::not_an_integer;
use super::sent::Sent;
use super::state::{Phase, State};
use super::{Session, abandoned};
use crate::session_record::{Applied, Change, Create};
use crate::token::Token;
use crate::{Result, SessionError, SessionErrorKind, SessionKey, SignInOptions, value};

/// The maximum number of attempts of an update.
const TRIES: u32 = 64;

impl Session {
    /// Writes the changes of this request now, and reports whether they were accepted.
    ///
    /// All are written, or none. They stay whatever the handler returns. If it is unknown whether they were
    /// written, the rest of the request is treated as if the session could not be read, but it can still
    /// [sign out](Self::log_out). One round trip.
    ///
    /// # Errors
    /// Those of [all methods](Session); [`SessionErrorKind::TooLarge`] and [`SessionErrorKind::NotAnInteger`] if the
    /// changes no longer fit because other requests wrote in the meantime.
    pub async fn save(&self) -> Result<()> {
        let mut state = self.act().await?;
        self.write(&mut state).await
    }

    /// Computes a field's new value from its old one, writes it now, and returns it.
    ///
    /// No other request can write the field in between. The other changes of this request are written too.
    /// `next` runs again, on the new value, if another request was faster. One round trip per attempt; from
    /// the third attempt on it waits a few milliseconds in between.
    ///
    /// # Errors
    /// Those of [`save`](Self::save) and [`insert`](Self::insert); [`SessionErrorKind::Conflict`] after 64
    /// attempts.
    pub async fn update<T, F>(&self, key: SessionKey<T>, mut next: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> T + Send,
    {
        let name = key.name();
        let sessions = &self.inner.config.sessions;
        let mut state = self.act().await?;
        for tried in 0..TRIES {
            let session = state.id();
            let before = match state.field(name) {
                Some(field) => sessions.decode(&key, session, &field)?,
                None => None,
            };
            let after = next(before);
            let plain = value::encode(&after)?;
            self.check_value(&plain)?;
            let bytes = sessions.seal(&key, session, plain)?;
            if state.current.is_none() {
                let before = state.pending.get(name);
                state.pending.set(name, bytes);
                let written = self.write(&mut state).await;
                if written.is_err() && state.phase == Phase::Read {
                    // A change that was refused is not written at the end of the request either.
                    state.pending.put_back(name, before);
                }
                return written.map(|()| after);
            }
            let stored = state.stored(name).map(Bytes::copy_from_slice);
            let change = Change::Swap(stored, bytes);
            if self.try_now(&mut state, name, change, tried).await? {
                return Ok(after);
            }
        }
        Err(conflict())
    }

    /// Removes a field now, and returns its value. None if the field is absent.
    ///
    /// Of any number of simultaneous requests, exactly one gets the value; [`take`](Self::take) gives it to all of
    /// them. The other changes of this request are written too. One round trip if there is a value.
    ///
    /// # Errors
    /// Those of [`get`](Self::get) and [`save`](Self::save); [`SessionErrorKind::Conflict`] after 64
    /// attempts.
    ///
    /// # Cancellation
    /// The value may be gone.
    pub async fn take_now<T: DeserializeOwned>(&self, key: SessionKey<T>) -> Result<Option<T>> {
        let name = key.name();
        let sessions = &self.inner.config.sessions;
        let mut state = self.checked(self.read().await?)?;
        for tried in 0..TRIES {
            let Some(session) = state.id_to_read() else {
                return Ok(None);
            };
            let Some(field) = state.field(name) else {
                return Ok(None);
            };
            let Some(taken) = sessions.decode(&key, session, &field)? else {
                return Ok(None);
            };
            let Some(stored) = state.stored(name).map(Bytes::copy_from_slice) else {
                // No other request knows about it.
                state.pending.put_back(name, None);
                return Ok(Some(taken));
            };
            let change = Change::Extract(stored);
            if self.try_now(&mut state, name, change, tried).await? {
                return Ok(Some(taken));
            }
        }
        Err(conflict())
    }

    /// Writes a change of one field now, with the pending changes of the others.
    ///
    /// Returns `false`, after a short wait, if another request was faster; the field then has its value.
    async fn try_now(
        &self,
        state: &mut State,
        name: &str,
        change: Change,
        tried: u32,
    ) -> Result<bool> {
        let Some(current) = &state.current else {
            return Err(SessionError::gone());
        };
        let (session, generation) = (current.token.record, current.metadata.generation);
        let mut changes = state.pending.changes();
        changes.retain(|(other, _)| **other != *name);
        changes.push((name.into(), change));
        let sessions = &self.inner.config.sessions;
        let sent = Sent::by(state);
        let applied = sessions.apply(session, generation, changes.clone()).await;
        match sent.answered(applied)? {
            Applied::Done => {
                state.settle(&changes);
                Ok(true)
            }
            Applied::Conflict(held) => {
                state.take_over(name, held.as_deref());
                back_off(tried).await;
                Ok(false)
            }
            refused => Err(self.refused(state, refused)),
        }
    }

    /// Writes the pending changes: creates a session if there is none.
    pub(super) async fn write(&self, state: &mut State) -> Result<()> {
        if state.pending.is_empty() {
            return Ok(());
        }
        let sessions = &self.inner.config.sessions;
        let Some(current) = &state.current else {
            let fields = state.pending.fields();
            if fields.is_empty() {
                state.pending.clear();
                return Ok(());
            }
            let most = sessions.settings.max_weight;
            if state.exceeds(most) {
                return Err(too_large(most));
            }
            let token = state.reserve();
            let create = sessions.new_session(&token, None, &SignInOptions::default(), fields);
            self.create(state, token, create).await?;
            state.pending.clear();
            return Ok(());
        };
        let (session, generation) = (current.token.record, current.metadata.generation);
        let changes = state.pending.changes();
        let sent = Sent::by(state);
        let applied = sessions.apply(session, generation, changes.clone()).await;
        match sent.answered(applied)? {
            Applied::Done => {
                state.settle(&changes);
                Ok(())
            }
            refused => Err(self.refused(state, refused)),
        }
    }

    /// Creates the session of this request, and gives the visitor its cookie.
    pub(super) async fn create(
        &self,
        state: &mut State,
        token: Token,
        create: Create,
    ) -> Result<()> {
        if self.is_abandoned() {
            // No response can carry its cookie.
            return Err(abandoned());
        }
        let user = create.user.as_ref().map(|user| user.id.clone());
        let sessions = &self.inner.config.sessions;
        let sent = Sent::making(sessions, state, token, user);
        let created = sessions.create(&token, create).await;
        let opened = sent.answered(created)?;
        state.begin(token, opened);
        state.give();
        Ok(())
    }

    fn refused(&self, state: &mut State, refused: Applied) -> SessionError {
        match refused {
            Applied::NotAnInteger => not_an_integer(),
            Applied::TooLarge => too_large(self.inner.config.sessions.settings.max_weight),
            _ => {
                state.lose();
                SessionError::gone()
            }
        }
    }
}

fn conflict() -> SessionError {
    SessionError::new(
        SessionErrorKind::Conflict,
        "other requests changed the field at each of 64 attempts: try again later",
    )
}

/// Waits a little longer after each attempt, up to 16 ms, so that other requests can finish.
async fn back_off(tried: u32) {
    if tried >= 2 {
        let most = 1_000_u64 << tried.min(6).saturating_sub(2);
        let micros = u64::from(rand::random::<u32>()) % most;
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}
