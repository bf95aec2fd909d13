use std::num::NonZeroU16;
use std::sync::Arc;

use larder_queue::{Partitioned, Queue, QueueRecord};
use larder_session::DeviceId;
use larder_store::program::Record;
use larder_store::{Key, Store};
use larder_structures::lock::{Permits, Release};
use percent_encoding::percent_decode_str;

use crate::page::numbers::of;
use crate::page::state::Shared;
use crate::page::view::View;
use crate::records::{id_of, lock_holders};
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
}

/// The result of an action, or the reason why there is none.
type Outcome<T> = Result<T, String>;

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
    pub(super) async fn question(self, shared: &Shared, target: &Target) -> Outcome<String> {
        let subject = &*target.subject;
        Ok(match self {
            Self::RevokeDevice => {
                device_of(shared, target).await?;
                "This ends 1 session of the user.".to_owned()
            }
            Self::RevokeUser => {
                let devices = shared.sessions.devices(subject).await.map_err(told)?;
                let sessions = of(devices.len() as u64, "session", "sessions");
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
                format!(
                    "This runs {} again.",
                    of(dead, "dead letter", "dead letters")
                )
            }
            Self::BreakLock => {
                let holders = holders(shared, &lock(subject)?).await?;
                let holders = of(holders.len() as u64, "holder", "holders");
                format!(
                    "This takes the lock from {holders}. They learn of it when they renew it, and may \
                     work until then."
                )
            }
            Self::PauseQueue => "No job is taken any more, and jobs that run go on.".to_owned(),
            Self::ResumeQueue => "Jobs are taken again.".to_owned(),
        })
    }

    /// Does it, and returns how many things it changed.
    pub(super) async fn run(self, shared: &Shared, target: &Target) -> Outcome<u64> {
        let subject = &*target.subject;
        match self {
            Self::RevokeDevice => {
                let id = device_of(shared, target).await?;
                let revoked = shared.sessions.revoke(subject, id).await;
                revoked.map(u64::from).map_err(told)
            }
            Self::RevokeUser => {
                let devices = shared.sessions.devices(subject).await.map_err(told)?;
                shared.sessions.revoke_all(subject).await.map_err(told)?;
                Ok(devices.len() as u64)
            }
            Self::PurgeUri => shared.purger.purge(subject).await.map(|()| 1).map_err(told),
            Self::PurgeTag => {
                let purged = shared.purger.purge_tag(subject).await;
                purged.map(|()| 1).map_err(told)
            }
            Self::PauseQueue => {
                let paused = queue(shared, subject)?.pause().await;
                paused.map(|()| 1).map_err(told)
            }
            Self::ResumeQueue => {
                let resumed = queue(shared, subject)?.resume().await;
                resumed.map(|()| 1).map_err(told)
            }
            Self::RedriveQueue => {
                let queue = queue(shared, subject)?;
                // What dies meanwhile is left for the next time.
                let dead = queue.counts().await.map_err(told)?.dead;
                queue.redrive(dead).await.map_err(told)
            }
            Self::BreakLock => break_lock(shared, &lock(subject)?).await,
        }
    }
}

/// Says in words what went wrong. Errors of larder name no key and no session.
fn told(error: impl std::fmt::Display) -> String {
    format!("Nothing may have been done: {error}.")
}

async fn device_of(shared: &Shared, target: &Target) -> Outcome<DeviceId> {
    let id: DeviceId = target.device.parse().map_err(told)?;
    let devices = shared
        .sessions
        .devices(&target.subject)
        .await
        .map_err(told)?;
    let is_listed = devices.iter().any(|device| device.id == id);
    is_listed
        .then_some(id)
        .ok_or_else(|| "This session has ended already.".to_owned())
}

fn lock(key: &str) -> Outcome<Key> {
    Key::parse(key, &[Permits::KIND])
        .map(Key::without_part)
        .map_err(|_| "This is not the key of a lock.".to_owned())
}

/// Returns the holders of a lock, of which there is at least one.
async fn holders(shared: &Shared, key: &Key) -> Outcome<Vec<u64>> {
    let shown = shared.programs.inspect::<Permits>(key).await;
    let holders = lock_holders(&shown.map_err(told)?, now());
    if holders.is_empty() {
        return Err("Nobody holds this lock any more.".to_owned());
    }
    Ok(holders.into_iter().map(|holder| holder.fence).collect())
}

async fn break_lock(shared: &Shared, key: &Key) -> Outcome<u64> {
    let mut broken = 0;
    for fence in holders(shared, key).await? {
        let fence = i64::try_from(fence).unwrap_or(i64::MAX);
        let release = Release { fence };
        let was_held = shared.programs.run(key, &release).await.map_err(told)?;
        broken += u64::from(was_held);
    }
    Ok(broken)
}

/// Returns the queue, or the partition of one, that has a key.
fn queue(shared: &Shared, key: &str) -> Outcome<Queue> {
    let unknown = || "This is not the key of a queue.".to_owned();
    let key = Key::parse(key, &[QueueRecord::KIND]).map_err(|_| unknown())?;
    queue_of(&shared.store, &key.without_part()).ok_or_else(unknown)
}

/// Returns the queue, or the partition of one, that has a key. None if its name is hashed.
pub(in crate::page) fn queue_of(store: &Arc<dyn Store>, key: &Key) -> Option<Queue> {
    let id = id_of(key);
    let (name, number) = match id.split_once(':') {
        Some((name, number)) => (name, Some(number.parse::<u16>().ok()?)),
        None => (id, None),
    };
    let name = percent_decode_str(name).decode_utf8().ok()?;
    let (queue, whole) = match number {
        None => {
            let queue = Queue::new(store.clone(), &name).ok()?;
            (queue, Key::new(QueueRecord::KIND, &*name))
        }
        Some(number) => {
            let partitions = NonZeroU16::new(number.checked_add(1)?)?;
            let all = Partitioned::new(store.clone(), &name, partitions).ok()?;
            let queue = all.queues().last()?.clone();
            (
                queue,
                Key::new(QueueRecord::KIND, (&*name, u32::from(number))),
            )
        }
    };
    // A name that is hashed, or written in another way, would be another queue.
    (whole == *key).then_some(queue)
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
