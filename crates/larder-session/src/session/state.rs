use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::pending::Pending;
use crate::cookie::MaxAge;
use crate::session_record::{Change, Metadata, Secret, SessionUser, StoredFields, weight};
use crate::sessions::{Found, Made, Opened, Opening, Rival};
use crate::token::{DeviceId, Token};
use crate::{CookieExpiry, EndReason, UserId};

/// The session as one request knows it.
#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The session in the store. None if there is none yet, or none any more.
    pub(super) current: Option<Current>,
    /// The token of the session that this request may begin: its values are sealed for it.
    reserved: Option<Token>,
    /// The fields in the store when they were last read. None if there were none.
    pub(super) stored: Option<StoredFields>,
    /// The changes that are not written yet.
    pub(super) pending: Pending,
    pub(super) outgoing: Outgoing,
    /// The session, and its user, that a failed write has made unusable. It can still be signed out of.
    pub(super) left: Option<(DeviceId, Option<Arc<str>>)>,
    /// What that write may have made. It ends with a sign-out.
    pub(super) made: Option<Made>,
    /// Other living sessions whose cookies came with the request.
    pub(super) rivals: Vec<Rival>,
    /// The session that the cookie once opened, and why it ended.
    pub(super) ended: Option<(Token, EndReason)>,
    /// The session ended during the request: nothing more is written.
    pub(super) is_gone: bool,
    /// The request signed out.
    pub(super) is_signed_out: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Unread,
    Read,
    Failed,
}

/// A session that is in the store.
pub(super) struct Current {
    pub(super) token: Token,
    pub(super) metadata: Arc<Metadata>,
    /// When it was used last, by the store's clock.
    pub(super) seen: i64,
    pub(super) by: Secret,
    /// Whether the id is old enough to be replaced.
    pub(super) is_renewal_due: bool,
}

/// The change of the visitor's cookie.
#[derive(Default)]
pub(crate) enum Outgoing {
    #[default]
    Keep,
    Set(Token, MaxAge),
    Remove,
}

impl State {
    /// Makes the session that `token` opens the session of this request.
    pub(super) fn begin(&mut self, token: Token, opened: Opened) {
        self.current = Some(Current {
            token,
            metadata: opened.metadata,
            seen: opened.seen,
            by: opened.by,
            is_renewal_due: opened.is_renewal_due,
        });
        self.reserved = None;
        self.stored = Some(opened.fields);
    }

    /// Returns the token of an anonymous session that this request begins, the same at each attempt.
    pub(super) fn reserve(&mut self) -> Token {
        *self
            .reserved
            .get_or_insert_with(|| Token::random(DeviceId::random(), None))
    }

    /// Returns the id of the session, or the one that it will have.
    pub(super) fn id(&mut self) -> DeviceId {
        match &self.current {
            Some(current) => current.token.record,
            None => self.reserve().record,
        }
    }

    /// Returns the id that values to read are sealed for. None if there are none.
    pub(super) fn id_to_read(&mut self) -> Option<DeviceId> {
        let is_empty = self.current.is_none() && self.pending.is_empty();
        (!is_empty).then(|| self.id())
    }

    /// Takes over the store's state for the only cookie that the request came with.
    pub(super) fn find_one(&mut self, token: Token, opening: Opening) {
        self.ended = opening.ended(token);
        if let Opening::Session(opened) = opening {
            self.begin(token, opened);
        }
    }

    /// Takes over the store's state for several cookies.
    pub(super) fn find(&mut self, found: Found) {
        if let Some((token, opened)) = found.chosen {
            self.begin(token, opened);
        }
        self.rivals = found.rivals;
        self.ended = found.ended;
    }

    /// Notes that the response sets the cookie of the session as it is now.
    pub(super) fn give(&mut self) {
        if let Some(Current {
            token,
            metadata,
            seen,
            ..
        }) = &self.current
        {
            let left = metadata.absolute_at - seen;
            let max_age = match metadata.choice.expiry {
                None => MaxAge::AsDeclared(left),
                Some(CookieExpiry::OnBrowserClose) => MaxAge::None,
                Some(CookieExpiry::WithTheSession) => MaxAge::Left(left),
            };
            self.outgoing = Outgoing::Set(*token, max_age);
        }
    }

    /// Returns whether the id must be replaced: it is old, and this request has not replaced it yet.
    pub(super) fn has_to_be_renewed(&self) -> bool {
        let is_due = self.current.as_ref().is_some_and(|it| it.is_renewal_due);
        is_due && matches!(self.outgoing, Outgoing::Keep)
    }

    /// Forgets the session.
    pub(super) fn clear(&mut self) {
        self.current = None;
        self.reserved = None;
        self.stored = None;
        self.left = None;
        self.made = None;
        self.pending.clear();
    }

    /// Returns the session to sign out of, and its user. None if there is no session.
    pub(super) fn to_sign_out(&self) -> Option<(DeviceId, Option<Arc<str>>)> {
        match &self.current {
            Some(current) => {
                let user = self.session_user().map(|user| user.id.clone());
                Some((current.token.record, user))
            }
            None => self.left.clone(),
        }
    }

    /// Forgets all that was read and collected, because nobody knows whether a write was carried out.
    ///
    /// Only what a sign-out needs is kept. A cookie that an earlier step has changed is still sent, unless it is that of
    /// the session that was `made`, which a task ends.
    pub(super) fn fail(&mut self, made: Option<Made>) {
        self.is_signed_out &= self.session_user().is_none();
        // A sign-out may itself be the write, after another one.
        let (left, made) = (self.to_sign_out(), made.or(self.made.take()));
        self.clear();
        let is_made = |token: &Token| made.as_ref().is_some_and(|made| made.token == *token);
        if matches!(&self.outgoing, Outgoing::Set(token, _) if is_made(token)) {
            self.outgoing = Outgoing::Keep;
        }
        (self.left, self.made) = (left, made);
        self.ended = None;
        self.phase = Phase::Failed;
    }

    /// Forgets a session that ended during this request.
    ///
    /// The cookie stays: by now it may belong to a new session, which another response set.
    pub(super) fn lose(&mut self) {
        self.clear();
        self.outgoing = Outgoing::Keep;
        self.is_gone = true;
    }

    pub(super) fn session_user(&self) -> Option<&SessionUser> {
        self.current.as_ref()?.metadata.user.as_ref()
    }

    pub(super) fn user(&self) -> Option<UserId> {
        self.session_user().map(|user| UserId::read(&user.id))
    }

    /// Returns a field as the store held it when it was last read.
    pub(super) fn stored(&self, name: &str) -> Option<&[u8]> {
        self.stored.as_ref()?.get(name)
    }

    /// Records the current value of a field in the store.
    pub(super) fn take_over(&mut self, name: &str, held: Option<&[u8]>) {
        let fields = self.stored.get_or_insert_default();
        *fields = fields.with([(name, held)]);
    }

    /// Returns a field as this request sees it, with its own changes.
    pub(super) fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.pending.on_top_of(name, self.stored(name))
    }

    /// Returns whether the data would weigh more than `most` with the changes of this request.
    ///
    /// Changes that make it lighter never exceed the limit.
    pub(super) fn exceeds(&self, most: i64) -> bool {
        let fields = self.stored.iter().flat_map(StoredFields::iter);
        let stored: i64 = fields.map(|(name, held)| weight(name, held)).sum();
        let change: i64 = self
            .pending
            .names()
            .map(|name| {
                let before = self.stored(name).map_or(0, |held| weight(name, held));
                let after = self.field(name).map_or(0, |held| weight(name, &held));
                after - before
            })
            .sum();
        change > 0 && stored + change > most
    }

    /// Notes that these changes were written.
    pub(super) fn settle(&mut self, written: &[(Box<str>, Change)]) {
        let fields = self.stored.get_or_insert_default();
        let after = written.iter().map(|(name, change)| {
            // The store accepted the change; changes that others made in the meantime are not
            // visible here.
            let before = fields.get(name).map(Bytes::copy_from_slice);
            (&**name, change.of(before.as_ref()).ok().flatten())
        });
        let after: Vec<_> = after.collect();
        *fields = fields.with(after.iter().map(|(name, value)| (*name, value.as_deref())));
        self.pending.clear();
    }
}
