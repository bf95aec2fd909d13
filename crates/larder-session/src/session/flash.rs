//! Messages that are shown once, on the next page.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Session;
use crate::{Result, SessionKey};

const FLASHES: SessionKey<Vec<Flash>> = SessionKey::own("larder.flashes");
/// The maximum number of messages that wait.
const MAX: usize = 16;

/// A message that is shown once, on the next page.
///
/// `Debug` hides the text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Flash {
    /// The level of the message.
    pub level: FlashLevel,
    /// The message, as the app wrote it. Escape it when it is shown.
    pub text: String,
}

/// The level of a [`Flash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlashLevel {
    /// Neutral information.
    Info,
    /// The visitor's action succeeded.
    Success,
    /// The visitor should check something.
    Warning,
    /// The visitor's action failed.
    Error,
}

impl FlashLevel {
    /// Returns the level in lower case, such as for a CSS class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Session {
    /// Adds a message for the next page that calls [`take_flashes`](Self::take_flashes).
    ///
    /// It is written at once and stays whatever the handler returns, so it survives a redirect, and
    /// messages of two requests both stay. At most 16 messages wait; a further one replaces the oldest.
    /// One round trip.
    ///
    /// ```
    /// use larder_session::{FlashLevel, Result, Session};
    ///
    /// async fn saved(session: Session) -> Result<()> {
    ///     session.flash(FlashLevel::Success, "Your address is saved.").await
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`update`](Self::update).
    pub async fn flash(&self, level: FlashLevel, text: impl Into<String> + Send) -> Result<()> {
        let flash = Flash {
            level,
            text: text.into(),
        };
        let add = |waiting: Option<Vec<Flash>>| {
            let mut waiting = waiting.unwrap_or_default();
            waiting.push(flash.clone());
            waiting.drain(..waiting.len().saturating_sub(MAX));
            waiting
        };
        self.update(FLASHES, add).await.map(drop)
    }

    /// Returns the pending messages, oldest first, and removes them.
    ///
    /// Each message goes to exactly one request. Call it in pages that show the messages, not in
    /// answers that nobody sees. No round trip if none is pending, one otherwise.
    ///
    /// # Errors
    /// Those of [`take_now`](Self::take_now).
    ///
    /// # Cancellation
    /// The messages may be gone.
    pub async fn take_flashes(&self) -> Result<Vec<Flash>> {
        Ok(self.take_now(FLASHES).await?.unwrap_or_default())
    }
}

impl fmt::Debug for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flash")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
