use larder_session::DeviceId;
use larder_store::Key;
use larder_store::program::Record;
use larder_structures::lock::{Permits, Release};

use super::queue::queue;
use super::trouble::{Result, Trouble, refused, told, unasked, unsure, unsure_of_session};
use crate::page::numbers::of;
use crate::page::state::Shared;
use crate::page::view::View;
use crate::records::lock_holders;
use crate::time::now;

/// Something that an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum Action {
    RevokeDevice,
    RevokeUser,
    PurgeUri,
    PurgeTag,
    PauseQueue,
    ResumeQueue,
    RedriveQueue,
    BreakLock,
}

/// What an action is done to.
#[derive(Clone, Debug, Default)]
pub(in crate::page) struct Target {
    /// A user, a URI, a tag, or the key of a queue or lock.
    pub(in crate::page) subject: String,
    /// The device of a user.
    pub(in crate::page) device: String,
    /// What the question was about. Empty before it is asked.
    pub(super) seen: String,
}

/// What an operator is asked before something is done.
pub(super) struct Question {
    pub(super) text: String,
    /// What it is about, so that no more is done after the answer.
    pub(super) seen: String,
}

impl Action {
    const ALL: [Self; 8] = [
        Self::RevokeDevice,
        Self::RevokeUser,
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
            Self::RevokeDevice | Self::RevokeUser => View::Sessions,
            Self::PurgeUri | Self::PurgeTag => View::Responses,
            Self::PauseQueue | Self::ResumeQueue | Self::RedriveQueue => View::Queues,
            Self::BreakLock => View::Locks,
        }
    }

    /// Returns whether it is done without a question, because it can be undone here.
    pub(super) fn is_harmless(self) -> bool {
        matches!(self, Self::PauseQueue | Self::ResumeQueue)
    }

    /// Returns what the button says that does it.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::RevokeDevice => "End the session",
            Self::RevokeUser => "End all sessions",
            Self::PurgeUri | Self::PurgeTag => "Purge",
            Self::PauseQueue => "Pause",
            Self::ResumeQueue => "Resume",
            Self::RedriveQueue => "Run again",
            Self::BreakLock => "Break the lock",
        }
    }

    /// Says what was done, by the count alone.
    pub(in crate::page) fn done(self, count: u64) -> String {
        let responses = of(count, "target was", "targets were");
        match self {
            Self::RevokeDevice | Self::RevokeUser => {
                format!("{} ended.", of(count, "session has", "sessions have"))
            }
            Self::PurgeUri | Self::PurgeTag => format!("{responses} purged."),
            Self::PauseQueue => {
                "The queue is paused: no job is taken, and jobs that run go on.".into()
            }
            Self::ResumeQueue => "The queue goes on.".into(),
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

    /// Says what it would do, with the count. An error if there is nothing to do.
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
                let sessions = of(devices.len() as u64, "session", "sessions");
                seen = devices.len().to_string();
                format!("This ends {sessions} of the user.")
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
                let dead = queue(shared, subject)?.counts().await.map_err(told)?.dead;
                seen = dead.to_string();
                format!(
                    "This runs {} again.",
                    of(dead, "dead letter", "dead letters")
                )
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
            Self::PauseQueue => "No job is taken any more, and jobs that run go on.".to_owned(),
            Self::ResumeQueue => "Jobs are taken again.".to_owned(),
        };
        Ok(Question { text, seen })
    }

    /// Does it to what the question was about, and returns how many things it changed.
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
                let devices = devices.len() as u64;
                if devices > target.seen()? {
                    let sessions = of(devices, "session", "sessions");
                    let text = format!("The user has {sessions} by now: ask again.");
                    return Err(Trouble::Refused(text));
                }
                let revoked = shared.sessions.revoke_all(subject).await;
                revoked.map(|()| devices).map_err(unsure_of_session)
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
                let queue = queue(shared, subject)?;
                // What dies meanwhile is left for the next time.
                let dead = queue.counts().await.map_err(told)?.dead;
                let many = dead.min(target.seen()?);
                queue.redrive(many).await.map_err(unsure)
            }
            Self::BreakLock => break_lock(shared, &lock(subject)?, &target.fences()?).await,
        }
    }
}

impl Target {
    /// Returns the number that the question named.
    fn seen(&self) -> Result<u64> {
        self.seen.parse().map_err(|_| unasked())
    }

    /// Returns the tokens of the holders that the question counted.
    fn fences(&self) -> Result<Vec<i64>> {
        let fences = self.seen.split(',').map(str::parse::<i64>);
        fences.collect::<Result<_, _>>().map_err(|_| unasked())
    }
}

async fn device_of(shared: &Shared, target: &Target) -> Result<DeviceId> {
    let id: DeviceId = target.device.parse().map_err(told)?;
    let devices = shared
        .sessions
        .devices(&target.subject)
        .await
        .map_err(told)?;
    let is_listed = devices.iter().any(|device| device.id == id);
    is_listed
        .then_some(id)
        .ok_or_else(|| refused("This session has ended already."))
}

fn lock(key: &str) -> Result<Key> {
    Key::parse(key, &[Permits::KIND])
        .map(Key::without_part)
        .map_err(|_| refused("This is not the key of a lock."))
}

/// Returns the holders of a lock, of which there is at least one.
async fn holders(shared: &Shared, key: &Key) -> Result<Vec<u64>> {
    let shown = shared.programs.inspect::<Permits>(key).await;
    let holders = lock_holders(&shown.map_err(told)?, now());
    if holders.is_empty() {
        return Err(refused("Nobody holds this lock any more."));
    }
    Ok(holders.into_iter().map(|holder| holder.fence).collect())
}

/// Takes the lock from the holders that were asked about, and from none who came later.
async fn break_lock(shared: &Shared, key: &Key, fences: &[i64]) -> Result<u64> {
    let mut broken = 0;
    for &fence in fences {
        let release = Release { fence };
        let was_held = shared.programs.run(key, &release).await.map_err(unsure)?;
        broken += u64::from(was_held);
    }
    match broken {
        0 => Err(refused(
            "The holders that were asked about have gone already.",
        )),
        broken => Ok(broken),
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
