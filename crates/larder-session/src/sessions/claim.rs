//! Whether a session may end others.

use larder_store::program::{Program, Run};

use super::Sessions;
use crate::Result;
use crate::everyone_record::{EveryoneRecord, ReadEveryone};
use crate::session_record::{Peek, SessionRecord, SessionUser};
use crate::token::DeviceId;
use crate::user_record::{MARKED, Mark, ReadRevocationState, UserRecord};

impl Sessions {
    /// Returns whether a session is alive, belongs to `user` and is not revoked. One round trip.
    pub(crate) async fn is_in_force(&self, session: DeviceId, user: &SessionUser) -> Result<bool> {
        let (held, revocation) = self
            .look_beside(session, user, &ReadRevocationState)
            .await?;
        let both = held.zip(revocation);
        Ok(both.is_some_and(|(held, revocation)| revocation.covers(session, &held)))
    }

    /// Lets a session of `user` end another one, and returns whether it may.
    ///
    /// Of two sessions that end each other, only one may: one step on the user's record decides. One round trip,
    /// and another one if the session has ended itself.
    pub(crate) async fn claim(
        &self,
        session: DeviceId,
        user: &SessionUser,
        other: DeviceId,
    ) -> Result<bool> {
        let mark = |span| Mark {
            by: (session, user.clone()),
            session: other,
            span,
        };
        let (held, may_end) = self.look_beside(session, user, &mark(MARKED)).await?;
        if may_end && held.is_none() {
            // A session that has ended must not keep the other one from ending sessions.
            let (list, unmark) = (UserRecord::key(&user.id), mark(0));
            let unmarked = self.programs.run(&list, &unmark);
            // The failure is logged and counted already, and the mark expires.
            let _ = self.bounded(unmarked).await;
        }
        Ok(may_end && held.is_some())
    }

    /// Runs a program on the user's record, and returns its reply and the sign-in of a session.
    ///
    /// None if the session is dead, belongs to another user, or ended with everyone's. One round trip.
    async fn look_beside<P: Program<Record = UserRecord>>(
        &self,
        session: DeviceId,
        user: &SessionUser,
        program: &P,
    ) -> Result<(Option<SessionUser>, P::Reply)> {
        let (own, list) = (SessionRecord::key(session), UserRecord::key(&user.id));
        let all = EveryoneRecord::key();
        let each = self.bounded(async {
            let (mut peek, mut run) = (Run::new(&Peek), Run::new(program));
            let mut everyone = Run::new(&ReadEveryone);
            let calls = [
                (&own, &mut peek as _),
                (&list, &mut run as _),
                (&all, &mut everyone as _),
            ];
            let [first, second, third] = self.programs.run_each(calls).await;
            let everyone = self.everyone.readable(everyone.reply(third)?)?;
            Ok((peek.reply(first)?, run.reply(second)?, everyone))
        });
        let (peeked, reply, everyone) = each.await?;
        let held = peeked.map(|peeked| peeked.user);
        let held = held.filter(|held| held.id == user.id && held.all >= everyone);
        Ok((held, reply))
    }
}
