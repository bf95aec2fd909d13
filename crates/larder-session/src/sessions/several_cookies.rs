//! Chooses between several cookies with the session's name.
//!
//! A browser sends two of them if one was set for the host and one for a domain or another path, and the
//! server cannot tell them apart (RFC 6265bis, section 5.8.3). After a domain was added to the cookie,
//! one of them is usually dead.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{Opened, Sessions};
use crate::session_record::Secret;
use crate::token::{DeviceId, Token};
use crate::{EndReason, Result};

/// The sessions that the cookies of a request open.
#[derive(Default)]
pub(crate) struct Found {
    /// The session of the request.
    pub(crate) chosen: Option<(Token, Opened)>,
    /// The other living sessions that belong to users.
    pub(crate) rivals: Vec<Rival>,
    /// The session that has ended, if none lives, and why.
    pub(crate) ended: Option<(Token, EndReason)>,
}

/// A living session whose cookie came with the request, but which the request does not use.
#[derive(Clone)]
pub(crate) struct Rival {
    pub(crate) session: DeviceId,
    pub(crate) user: Arc<str>,
}

impl Sessions {
    /// Looks up `tokens` concurrently, in one round trip.
    pub(crate) async fn find_one_of(&self, tokens: &[Token]) -> Result<Found> {
        let opened = tokens
            .iter()
            .map(async |token| Ok::<_, crate::SessionError>((*token, self.open(token).await?)));
        let opened = try_join_all(opened).await?;
        let ended = opened
            .iter()
            .filter_map(|(token, opening)| opening.ended(*token))
            // Anybody can plant a cookie that opens nothing, so a stored reason counts for more.
            .min_by_key(|(_, reason)| *reason == EndReason::Expired);
        let living = opened
            .into_iter()
            .filter_map(|(token, opening)| Some((token, opening.session()?)));
        let mut found = choose(living.collect());
        found.ended = ended.filter(|_| found.chosen.is_none());
        Ok(found)
    }
}

/// Chooses the living session with the latest sign-in, or the newest of anonymous ones.
///
/// If they belong to two users, none is chosen: otherwise someone who planted a second cookie could make
/// the visitor another user. Nobody is signed in then until the next sign-in, which ends them all.
fn choose(mut living: Vec<(Token, Opened)>) -> Found {
    // During a grace there are two secrets of one session: the current one counts.
    living.sort_by_key(|(_, opened)| opened.by == Secret::Outdated);
    let mut records = Vec::new();
    living.retain(|(token, _)| {
        let is_first = !records.contains(&token.record);
        records.push(token.record);
        is_first
    });
    let rank = |opened: &Opened| match &opened.metadata.user {
        Some(user) => (true, user.since),
        None => (false, opened.metadata.created),
    };
    living.sort_by_key(|(_, opened)| std::cmp::Reverse(rank(opened)));
    let mut users = living.iter().filter_map(|(_, opened)| user(opened));
    let first = users.next();
    let is_one_user = users.all(|user| Some(user) == first);
    let at = match is_one_user {
        true => Some(0),
        false => living.iter().position(|(_, opened)| user(opened).is_none()),
    };
    let chosen = at
        .filter(|at| *at < living.len())
        .map(|at| living.remove(at));
    let rivals = living.iter().filter_map(|(token, opened)| {
        Some(Rival {
            session: token.record,
            user: user(opened)?.clone(),
        })
    });
    Found {
        rivals: rivals.collect(),
        chosen,
        ended: None,
    }
}

fn user(opened: &Opened) -> Option<&Arc<str>> {
    opened.metadata.user.as_ref().map(|user| &user.id)
}
