use super::limit::Visitor;
use super::lock::{break_lock, holders, lock};
use super::queue::{dead_letters, queue};
use super::sessions::{count_signed_in, device_of};
use super::trouble::{Result, Trouble, refused, told, unasked, unsure, unsure_of_session};
use crate::counted::Counted;
use crate::page::model::shown;
use crate::page::numbers::{count, of};
use crate::page::state::Shared;
use crate::page::view::View;

/// Something that an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum Action {
    RevokeDevice,
    RevokeUser,
    RevokeEveryone,
    ResetLimit,
    PurgeUri,
    PurgeTag,
    PauseQueue,
    ResumeQueue,
    RedriveQueue,
    BreakLock,
}

/// The beginning of the state that the question about all users showed, before their number.
const EVERYONE: &str = "everyone ";

/// The target of an action.
#[derive(Clone, Debug, Default)]
pub(in crate::page) struct Target {
    /// A user, a visitor, a URI, a tag, or the key of a queue or lock.
    pub(in crate::page) subject: String,
    /// The device of a user.
    pub(in crate::page) device: String,
    /// The policy that limits a visitor.
    pub(in crate::page) policy: String,
    /// The state that the question showed. Empty before it is asked.
    pub(super) seen: String,
}

/// The question that an operator must confirm before an action.
pub(super) struct Question {
    pub(super) text: String,
    /// The state that it showed, so that no more is changed after the answer.
    pub(super) seen: String,
}

impl Action {
    const ALL: [Self; 10] = [
        Self::RevokeDevice,
        Self::RevokeUser,
        Self::RevokeEveryone,
        Self::ResetLimit,
        Self::PurgeUri,
        Self::PurgeTag,
        Self::PauseQueue,
        Self::ResumeQueue,
        Self::RedriveQueue,
        Self::BreakLock,
    ];

    /// Returns its name in forms and in the log.
    pub(in crate::page) fn name(self) -> &'static str {
        match self {
            Self::RevokeDevice => "revoke-device",
            Self::RevokeUser => "revoke-user",
            Self::RevokeEveryone => "revoke-everyone",
            Self::ResetLimit => "reset-limit",
            Self::PurgeUri => "purge-uri",
            Self::PurgeTag => "purge-tag",
            Self::PauseQueue => "pause-queue",
            Self::ResumeQueue => "resume-queue",
            Self::RedriveQueue => "redrive-queue",
            Self::BreakLock => "break-lock",
        }
    }

    pub(in crate::page) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Returns the view that offers it.
    pub(in crate::page) fn view(self) -> View {
        match self {
            Self::RevokeDevice | Self::RevokeUser | Self::RevokeEveryone => View::Sessions,
            Self::ResetLimit => View::Limits,
            Self::PurgeUri | Self::PurgeTag => View::Responses,
            Self::PauseQueue | Self::ResumeQueue | Self::RedriveQueue => View::Queues,
            Self::BreakLock => View::Locks,
        }
    }

    /// Returns whether it needs no confirmation, because it can be undone here.
    pub(super) fn is_harmless(self) -> bool {
        matches!(self, Self::PauseQueue | Self::ResumeQueue)
    }

    /// Returns the text of its button.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::RevokeDevice => "End the session",
            Self::RevokeUser => "End all sessions",
            Self::RevokeEveryone => "Sign everybody out",
            Self::ResetLimit => "Reset the limit",
            Self::PurgeUri | Self::PurgeTag => "Purge",
            Self::PauseQueue => "Pause",
            Self::ResumeQueue => "Resume",
            Self::RedriveQueue => "Run again",
            Self::BreakLock => "Break the lock",
        }
    }

    /// Describes what was done, given only the count.
    pub(in crate::page) fn done(self, count: u64) -> String {
        let responses = of(count, "target was", "targets were");
        match self {
            Self::RevokeDevice | Self::RevokeUser => {
                format!("{} ended.", of(count, "session has", "sessions have"))
            }
            Self::RevokeEveryone => "The sessions of all users have ended.".into(),
            Self::ResetLimit => {
                let visitors = of(count, "visitor has", "visitors have");
                format!("{visitors} the whole quota again.")
            }
            Self::PurgeUri | Self::PurgeTag => format!("{responses} purged."),
            Self::PauseQueue => {
                "The queue is paused: no job is taken, and running jobs continue.".into()
            }
            Self::ResumeQueue => "The queue is running again.".into(),
            Self::RedriveQueue => {
                format!(
                    "{} again.",
                    of(count, "dead letter waits", "dead letters wait")
                )
            }
            Self::BreakLock => {
                format!("{} lost the lock.", of(count, "holder has", "holders have"))
            }
        }
    }

    /// Describes what it would do, with the count. An error if there is nothing to do.
    pub(super) async fn question(self, shared: &Shared, target: &Target) -> Result<Question> {
        let subject = &*target.subject;
        let mut seen = String::new();
        let text = match self {
            Self::RevokeDevice => {
                device_of(shared, target).await?;
                "This ends 1 session of the user.".to_owned()
            }
            Self::RevokeUser => {
                let devices = shared.sessions.devices(subject).await.map_err(told)?;
                if devices.is_empty() {
                    return Err(refused("This user no longer has a living session."));
                }
                let sessions = of(devices.len() as u64, "session", "sessions");
                seen = Counted::of(devices.iter().map(|device| device.id)).to_string();
                format!("This ends {sessions} of the user.")
            }
            Self::RevokeEveryone => {
                let (count, counted) = count_signed_in(shared).await;
                seen = format!("{EVERYONE}{count}");
                format!(
                    "This ends the sessions of all users, who must sign in again, perhaps you too. {counted} \
                     Visitors who are not signed in stay."
                )
            }
            Self::ResetLimit => {
                let visitor = Visitor::find(shared, target).await?;
                seen = visitor.bans.to_string();
                let ban = if visitor.is_banned() {
                    ", ends a ban"
                } else {
                    ""
                };
                format!(
                    "This gives 1 visitor the whole quota of '{}' back{ban}, and forgets what it holds.",
                    shown(&target.policy)
                )
            }
            Self::PurgeUri => "This removes 1 URI with all its variants. The next visitors wait \
                               for the origin."
                .to_owned(),
            Self::PurgeTag => {
                "This removes every response with 1 tag; a tag does not know how many \
                               there are. The next visitors wait for the origin."
                    .to_owned()
            }
            Self::RedriveQueue => {
                let queue = queue(shared, subject)?;
                let letters = dead_letters(&queue).await?;
                if letters.is_empty() {
                    return Err(refused("The queue no longer has dead letters."));
                }
                seen = Counted::of(&letters).to_string();
                let counted = letters.len() as u64;
                let all = queue.counts().await.map_err(told)?.dead;
                let letters = match counted < all {
                    true => format!(
                        "the {} oldest of {}",
                        count(counted as f64),
                        of(all, "dead letter", "dead letters")
                    ),
                    false => of(counted, "dead letter", "dead letters"),
                };
                format!("This runs {letters} again.")
            }
            Self::BreakLock => {
                let holders = holders(shared, &lock(subject)?).await?;
                let fences = holders.iter().map(u64::to_string);
                seen = fences.collect::<Vec<_>>().join(",");
                let holders = of(holders.len() as u64, "holder", "holders");
                format!(
                    "This takes the lock from {holders}. They learn of it when they renew it, and may \
                     work until then."
                )
            }
            Self::PauseQueue => "No more jobs are taken, and running jobs continue.".to_owned(),
            Self::ResumeQueue => "Jobs are taken again.".to_owned(),
        };
        Ok(Question { text, seen })
    }

    /// Carries it out on what the question showed, and returns how many things it changed.
    pub(super) async fn run(self, shared: &Shared, target: &Target) -> Result<u64> {
        let subject = &*target.subject;
        match self {
            Self::RevokeDevice => {
                let id = device_of(shared, target).await?;
                let revoked = shared.sessions.revoke(subject, id).await;
                revoked.map(u64::from).map_err(unsure_of_session)
            }
            Self::RevokeUser => {
                let devices = shared.sessions.devices(subject).await.map_err(told)?;
                let many = devices.len() as u64;
                let now = Counted::of(devices.iter().map(|device| device.id));
                if !target.counted()?.covers(&now) {
                    let sessions = of(many, "session", "sessions");
                    let text = format!(
                        "The user has signed in since the question, and now has {sessions}: look again."
                    );
                    return Err(Trouble::Refused(text));
                }
                let revoked = shared.sessions.revoke_all(subject).await;
                revoked.map(|()| many).map_err(unsure_of_session)
            }
            Self::RevokeEveryone => {
                let counted = target.seen.strip_prefix(EVERYONE);
                let counted = counted.and_then(|count| count.parse().ok());
                let counted: u64 = counted.ok_or_else(unasked)?;
                let revoked = shared.sessions.revoke_everyone().await;
                revoked.map(|()| counted).map_err(unsure_of_session)
            }
            Self::ResetLimit => {
                let bans = target.counted()?;
                let visitor = Visitor::find(shared, target).await?;
                visitor.reset(shared, &bans).await
            }
            Self::PurgeUri => {
                let purged = shared.purger.purge(subject).await;
                purged.map(|()| 1).map_err(unsure)
            }
            Self::PurgeTag => {
                let purged = shared.purger.purge_tag(subject).await;
                purged.map(|()| 1).map_err(unsure)
            }
            Self::PauseQueue => {
                let paused = queue(shared, subject)?.pause().await;
                paused.map(|()| 1).map_err(unsure)
            }
            Self::ResumeQueue => {
                let resumed = queue(shared, subject)?.resume().await;
                resumed.map(|()| 1).map_err(unsure)
            }
            Self::RedriveQueue => {
                let (queue, counted) = (queue(shared, subject)?, target.counted()?);
                // The oldest go first. Jobs that have died since then are left for the next time.
                let letters = dead_letters(&queue).await?.into_iter();
                let many = letters.take_while(|letter| counted.has(letter)).count();
                if many == 0 {
                    return Err(refused(
                        "These dead letters are no longer there: look again.",
                    ));
                }
                queue.redrive(many as u64).await.map_err(unsure)
            }
            Self::BreakLock => break_lock(shared, &lock(subject)?, &target.fences()?).await,
        }
    }
}

impl Target {
    /// Returns what the question counted.
    fn counted(&self) -> Result<Counted> {
        self.seen.parse().map_err(|_| unasked())
    }

    /// Returns the fences of the holders that the question counted.
    fn fences(&self) -> Result<Vec<i64>> {
        let fences = self.seen.split(',').map(str::parse::<i64>);
        fences.collect::<Result<_, _>>().map_err(|_| unasked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_found_by_its_name() {
        for action in Action::ALL {
            assert_eq!(Action::named(action.name()), Some(action));
        }
        assert_eq!(Action::named("drop-everything"), None);
    }
}
