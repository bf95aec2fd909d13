use std::sync::Arc;

use bytes::Bytes;

use super::pending::Pending;
use crate::cookie::MaxAge;
use crate::record::{About, Fields, Owner, Secret, weight};
use crate::sessions::{Found, Opened, Rival};
use crate::token::Token;
use crate::{CookieExpiry, UserId};

/// What is known of a session in the course of a request.
#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The session as it stands in the store; nothing where there is none yet, or none any more.
    pub(super) current: Option<Current>,
    /// What the store held when it was last asked.
    pub(super) fields: Arc<Fields>,
    /// What is yet to be written.
    pub(super) pending: Pending,
    pub(super) outgoing: Outgoing,
    /// Other living sessions that the request came with cookies of.
    pub(super) rivals: Vec<Rival>,
    /// The session ended under way: nothing is written any more.
    pub(super) is_gone: bool,
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
    pub(super) about: About,
    pub(super) by: Secret,
}

/// What becomes of the visitor's cookie.
#[derive(Default)]
pub(crate) enum Outgoing {
    #[default]
    Keep,
    Set(Token, MaxAge),
    Remove,
}

impl State {
    /// The session that `token` opens is the one of this request from here.
    pub(super) fn begin(&mut self, token: Token, opened: Opened) {
        self.current = Some(Current {
            token,
            about: opened.about,
            by: opened.by,
        });
        self.fields = opened.fields;
    }

    /// What the store knows of the cookies that the request came with.
    pub(super) fn find(&mut self, found: Found) {
        if let Some((token, opened)) = found.chosen {
            self.begin(token, opened);
        }
        self.rivals = found.rivals;
    }

    /// The visitor is to have the cookie of the session as it is now.
    pub(super) fn give(&mut self) {
        if let Some(Current { token, about, .. }) = &self.current {
            let left = about.absolute_at - about.seen;
            let max_age = match about.choice.expiry {
                None => MaxAge::AsDeclared(left),
                Some(CookieExpiry::OnBrowserClose) => MaxAge::None,
                Some(CookieExpiry::WithTheSession) => MaxAge::Left(left),
            };
            self.outgoing = Outgoing::Set(*token, max_age);
        }
    }

    /// There is no session any more.
    pub(super) fn clear(&mut self) {
        self.current = None;
        self.fields = Arc::default();
        self.pending.clear();
    }

    /// The session ended while this request was under way. The cookie stays as it is: by now it may
    /// be that of a new session, which another response set.
    pub(super) fn lose(&mut self) {
        self.clear();
        self.outgoing = Outgoing::Keep;
        self.is_gone = true;
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        self.current.as_ref()?.about.owner.as_ref()
    }

    pub(super) fn user(&self) -> Option<UserId> {
        self.owner().map(|owner| UserId::read(&owner.user))
    }

    /// A field as this request sees it: its own changes on top of what the store held.
    pub(super) fn field(&self, name: &str) -> Option<Bytes> {
        self.pending.on_top_of(name, self.fields.get(name))
    }

    /// Whether the data would weigh more than `most` with the changes of this request. What makes it
    /// lighter is never too much.
    pub(super) fn is_past(&self, most: i64) -> bool {
        let stored: i64 = self
            .fields
            .iter()
            .map(|(name, held)| weight(name, held))
            .sum();
        let change: i64 = self
            .pending
            .names()
            .map(|name| {
                let before = self.fields.get(name).map_or(0, |held| weight(name, held));
                let after = self.field(name).map_or(0, |held| weight(name, &held));
                after - before
            })
            .sum();
        change > 0 && stored + change > most
    }

    /// The changes were written.
    pub(super) fn settle(&mut self, written: &[(Box<str>, crate::record::Change)]) {
        let fields = Arc::make_mut(&mut self.fields);
        for (name, change) in written {
            // What the store accepted is accepted here; where others wrote too, theirs is not seen.
            match change.of(fields.get(name)) {
                Ok(Some(value)) => fields.insert(name.clone(), value),
                _ => fields.remove(name),
            };
        }
        self.pending.clear();
    }
}
