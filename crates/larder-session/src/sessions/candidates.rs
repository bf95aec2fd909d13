//! Which of several cookies counts.
//!
//! A browser sends two cookies of one name where one was set for the host and one for a domain, or for
//! another path, and the server cannot tell them apart (RFC 6265bis, section 5.8.3). After a Domain was
//! added to the cookie one of them is mostly dead.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{Opened, Sessions};
use crate::Result;
use crate::record::Secret;
use crate::token::{DeviceId, Token};

/// What the store knows of the cookies that a request came with.
#[derive(Default)]
pub(crate) struct Found {
    /// The session of the request.
    pub(crate) chosen: Option<(Token, Opened)>,
    /// The other living sessions, as far as they are a user's.
    pub(crate) rivals: Vec<Rival>,
}

/// A living session that is not the request's, though the request came with a cookie of it.
pub(crate) struct Rival {
    pub(crate) session: DeviceId,
    pub(crate) user: Arc<str>,
}

impl Sessions {
    /// What the store knows of `tokens`. One round trip: they are looked up side by side.
    pub(crate) async fn find_one_of(&self, tokens: &[Token]) -> Result<Found> {
        let opened = tokens.iter().map(async |token| {
            let opened = self.open(token).await?;
            Ok(opened.map(|opened| (*token, opened)))
        });
        let living = try_join_all(opened).await?;
        Ok(choose(living.into_iter().flatten().collect()))
    }
}

/// Of several living sessions the one whose user signed in last is the request's, or of anonymous ones
/// the newest. Between two users there is no choice: whoever put a second cookie there could make the
/// visitor somebody else. Then nobody is signed in until the next sign-in, which ends them all.
fn choose(mut living: Vec<(Token, Opened)>) -> Found {
    // Two secrets of one session are within a grace: the current one counts.
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
    }
}

fn user(opened: &Opened) -> Option<&Arc<str>> {
    opened.metadata.user.as_ref().map(|user| &user.id)
}
