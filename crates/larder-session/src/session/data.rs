//! The data of a session.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::MutexGuard;

use super::key::DEVICE;
use super::pending::not_an_integer;
use super::state::State;
use super::{Session, SessionKey};
use crate::record::Change;
use crate::{Error, ErrorKind, Result, value};

/// What a device may be called, in bytes.
const MAX_DEVICE_NAME: usize = 256;

impl Session {
    /// The value of a field, if it has one.
    ///
    /// # Errors
    /// As [all methods](Session) give them; [`ErrorKind::Invalid`] where the field is of another
    /// type.
    pub async fn get<T: DeserializeOwned>(&self, key: SessionKey<T>) -> Result<Option<T>> {
        let field = self.read().await?.field(key.name());
        field.map(|field| value::decode(&field)).transpose()
    }

    /// Gives a field a value, at the end of the request.
    ///
    /// Of two requests that give one field a value at once, one is the last.
    ///
    /// # Errors
    /// As [all methods](Session) give them; [`ErrorKind::TooLarge`] where the field or the session
    /// would pass its bound, [`ErrorKind::Invalid`] if the value would not read back as it was written.
    pub async fn insert<T>(&self, key: SessionKey<T>, value: &T) -> Result<()>
    where
        T: Serialize + DeserializeOwned,
    {
        let value = value::encode(value)?;
        self.check_value(&value)?;
        let mut state = self.change().await?;
        let before = state.pending.get(key.name());
        state.pending.set(key.name(), value);
        self.check_weight(state, key.name(), before)
    }

    /// Takes a field's value away, at the end of the request.
    ///
    /// # Errors
    /// As [all methods](Session) give them.
    pub async fn remove<T>(&self, key: SessionKey<T>) -> Result<()> {
        let mut state = self.change().await?;
        if state.field(key.name()).is_some() || state.current.is_some() {
            state.pending.remove(key.name());
        }
        Ok(())
    }

    /// The value of a field, which is then taken away, at the end of the request: for what is to be
    /// shown once (a flash). What another request puts there meanwhile stays.
    ///
    /// A field that the same request increments too is a counter: what was taken is subtracted, so that
    /// what others add meanwhile is neither lost nor taken twice. To take a counter, take it and
    /// increment it by what is to be left, such as 0.
    ///
    /// # Errors
    /// As [`get`](Self::get) gives them.
    pub async fn take<T: DeserializeOwned>(&self, key: SessionKey<T>) -> Result<Option<T>> {
        let mut state = self.change().await?;
        let Some(field) = state.field(key.name()) else {
            return Ok(None);
        };
        let taken = value::decode(&field)?;
        let stored = state.fields.get(key.name()).cloned();
        state.pending.take(key.name(), stored.as_ref());
        Ok(Some(taken))
    }

    /// Adds to an integer, at the end of the request, and answers what this request then sees; absent
    /// counts as zero. What other requests add meanwhile is added too.
    ///
    /// # Errors
    /// As [all methods](Session) give them; [`ErrorKind::NotAnInteger`] where the field holds
    /// something else, or the sum would pass 2^53.
    pub async fn increment<T>(&self, key: SessionKey<T>, by: i64) -> Result<i64> {
        if value::int_to_store(by).is_none() {
            return Err(not_an_integer());
        }
        let mut state = self.change().await?;
        let field = state.field(key.name());
        let sum = Change::Add(by).of(field.as_ref()).ok().flatten();
        let sum = sum.as_deref().and_then(value::stored_int);
        let sum = sum.ok_or_else(not_an_integer)?;
        let before = state.pending.get(key.name());
        state.pending.add(key.name(), by)?;
        self.check_weight(state, key.name(), before)?;
        Ok(sum)
    }

    /// Calls the device by a name that its user knows it by, such as a browser and a system, for
    /// [`devices`](Self::devices). At most 256 bytes; it is written at the end of the request.
    ///
    /// # Errors
    /// As [all methods](Session) give them; [`ErrorKind::TooLarge`] where the name is longer.
    pub async fn name_device(&self, name: impl Into<String>) -> Result<()> {
        let name = name.into();
        if name.len() > MAX_DEVICE_NAME {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the name of a device is at most 256 bytes",
            ));
        }
        self.insert(DEVICE, &name).await
    }

    pub(super) fn check_value(&self, value: &Bytes) -> Result<()> {
        let most = self.inner.config.sessions.settings.max_value;
        if value.len() <= most {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "a field is at most {most} bytes: keep large things elsewhere, or raise it with \
                 Sessions::with_max_value"
            ),
        ))
    }

    /// Takes the last change back if the session would be too large with it.
    fn check_weight(
        &self,
        mut state: MutexGuard<'_, State>,
        name: &str,
        before: Option<Change>,
    ) -> Result<()> {
        let most = self.inner.config.sessions.settings.max_weight;
        if !state.is_past(most) {
            return Ok(());
        }
        state.pending.put_back(name, before);
        Err(too_large(most))
    }
}

pub(super) fn too_large(most: i64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "a session is at most {most} bytes: keep large things elsewhere, or raise it with \
             Sessions::with_max_bytes"
        ),
    )
}
