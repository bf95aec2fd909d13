//! Reading and changing the fields of a session.

use bytes::Bytes;
use futures_util::lock::MutexGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use super::pending::not_an_integer;
use super::state::State;
use crate::session_key::DEVICE;
use crate::session_record::Change;
use crate::{Result, SessionError, SessionErrorKind, SessionKey, value};

/// The limit of a device name, in bytes.
const MAX_DEVICE_NAME: usize = 256;

impl Session {
    /// Returns the value of a field. None if the field is absent, or is sealed and cannot be opened.
    ///
    /// # Errors
    /// Those of [all methods](Session), and [`SessionErrorKind::Invalid`] if the field has another type.
    pub async fn get<T: DeserializeOwned>(&self, key: SessionKey<T>) -> Result<Option<T>> {
        let mut state = self.read().await?;
        let Some(session) = state.id_to_read() else {
            return Ok(None);
        };
        match state.field(key.name()) {
            Some(field) => self.inner.config.sessions.decode(&key, session, &field),
            None => Ok(None),
        }
    }

    /// Sets a field when the handler returns.
    ///
    /// If two requests set the same field at once, the later write wins.
    ///
    /// # Errors
    /// Those of [all methods](Session); [`SessionErrorKind::TooLarge`] if the field or the session would exceed
    /// its limit, [`SessionErrorKind::Invalid`] if the value would not be read back as it was written.
    pub async fn insert<T>(&self, key: SessionKey<T>, value: &T) -> Result<()>
    where
        T: Serialize + DeserializeOwned,
    {
        let plain = value::encode(value)?;
        self.check_value(&plain)?;
        let mut state = self.change().await?;
        let value = self.inner.config.sessions.seal(&key, state.id(), plain)?;
        let before = state.pending.get(key.name());
        state.pending.set(key.name(), value);
        self.check_weight(state, key.name(), before)
    }

    /// Removes a field when the handler returns.
    ///
    /// # Errors
    /// Those of [all methods](Session).
    pub async fn remove<T>(&self, key: SessionKey<T>) -> Result<()> {
        let mut state = self.change().await?;
        if state.field(key.name()).is_some() || state.current.is_some() {
            state.pending.remove(key.name());
        }
        Ok(())
    }

    /// Returns the value of a field, and removes it when the handler returns.
    ///
    /// A value that another request sets in the meantime stays. If two requests take it at once, both get it:
    /// [`take_now`](Self::take_now) gives it to only one of them.
    ///
    /// A field that this request also increments is treated as a counter: the taken amount is subtracted, so
    /// increments of other requests are neither lost nor taken twice. To take a counter, take it and increment
    /// it by what should remain, such as 0.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub async fn take<T: DeserializeOwned>(&self, key: SessionKey<T>) -> Result<Option<T>> {
        let mut state = self.change().await?;
        let Some(session) = state.id_to_read() else {
            return Ok(None);
        };
        let Some(field) = state.field(key.name()) else {
            return Ok(None);
        };
        let taken = self.inner.config.sessions.decode(&key, session, &field)?;
        if taken.is_some() {
            let stored = state.stored(key.name()).map(Bytes::copy_from_slice);
            state.pending.take(key.name(), stored);
        }
        Ok(taken)
    }

    /// Adds to an integer when the handler returns, and returns the sum as this request sees it.
    ///
    /// An absent field counts as zero. Increments of other requests add up.
    ///
    /// # Errors
    /// Those of [all methods](Session); [`SessionErrorKind::NotAnInteger`] if the field holds another value, or
    /// the sum would be beyond ±2^53; [`SessionErrorKind::Invalid`] if values are sealed and the field is not
    /// declared [a counter](SessionKey::as_counter).
    pub async fn increment<T>(&self, key: SessionKey<T>, by: i64) -> Result<i64> {
        if value::int_to_store(by).is_none() {
            return Err(not_an_integer());
        }
        if !self.inner.config.sessions.can_count(&key) {
            return Err(SessionError::invalid(
                "the store cannot add to a sealed value: declare the field with SessionKey::as_counter, \
                 which keeps it readable",
            ));
        }
        let mut state = self.change().await?;
        let field = state.field(key.name());
        let field = field.map(|field| Bytes::from(field.into_owned()));
        let sum = Change::Add(by).of(field.as_ref()).ok().flatten();
        let sum = sum.as_deref().and_then(value::stored_int);
        let sum = sum.ok_or_else(not_an_integer)?;
        let before = state.pending.get(key.name());
        state.pending.add(key.name(), by)?;
        self.check_weight(state, key.name(), before)?;
        Ok(sum)
    }

    /// Names the device for its user, such as a browser and a system, for [`devices`](Self::devices).
    ///
    /// At most 256 bytes. Written when the handler returns.
    ///
    /// # Errors
    /// Those of [all methods](Session), and [`SessionErrorKind::TooLarge`] if the name is longer.
    pub async fn name_device(&self, name: impl Into<String>) -> Result<()> {
        let name = name.into();
        if name.len() > MAX_DEVICE_NAME {
            return Err(SessionError::new(
                SessionErrorKind::TooLarge,
                "a device name must have at most 256 bytes: shorten it",
            ));
        }
        self.insert(DEVICE, &name).await
    }

    pub(super) fn check_value(&self, value: &Bytes) -> Result<()> {
        let most = self.inner.config.sessions.settings.max_value;
        if value.len() <= most {
            return Ok(());
        }
        Err(SessionError::new(
            SessionErrorKind::TooLarge,
            format!(
                "a session field is limited to {most} bytes: store large data elsewhere, or raise the \
                 limit with Sessions::with_max_value"
            ),
        ))
    }

    /// Undoes the last change if it would make the session too large.
    fn check_weight(
        &self,
        mut state: MutexGuard<'_, State>,
        name: &str,
        before: Option<Change>,
    ) -> Result<()> {
        let most = self.inner.config.sessions.settings.max_weight;
        if !state.exceeds(most) {
            return Ok(());
        }
        state.pending.put_back(name, before);
        Err(too_large(most))
    }
}

pub(super) fn too_large(most: i64) -> SessionError {
    SessionError::new(
        SessionErrorKind::TooLarge,
        format!(
            "a session is limited to {most} bytes: store large data elsewhere, or raise the limit \
             with Sessions::with_max_bytes"
        ),
    )
}
