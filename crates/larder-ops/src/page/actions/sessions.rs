use std::time::Duration;

use larder_session::{DeviceId, EveryoneRecord, SessionRecord};
use larder_store::Key;
use larder_store::program::Record;
use tokio::time::timeout;

use super::action::Target;
use super::trouble::{Result, refused, told};
use crate::page::numbers::of;
use crate::page::state::Shared;
use crate::records::{field, inspect, list, number_of};

/// The maximum number of sessions that are counted, and the time for it.
const COUNTED: usize = 1_000;
const COUNTING: Duration = Duration::from_secs(2);

/// Returns the device of a user, whose session has not ended.
pub(super) async fn device_of(shared: &Shared, target: &Target) -> Result<DeviceId> {
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

/// Counts the sessions of users, and describes the count. Even if that fails, they can be ended.
pub(super) async fn count_signed_in(shared: &Shared) -> (u64, String) {
    let (mut keys, mut is_all) = (Vec::new(), false);
    if let Some(scan) = shared.store.clone().scan() {
        let note = |new: &[Key]| keys.extend_from_slice(new);
        let listing = list::<SessionRecord>(&*scan, "", COUNTED, note);
        let listed = timeout(COUNTING, listing).await;
        is_all = matches!(listed, Ok(Ok(listed)) if !listed.has_more);
    }
    keys.truncate(COUNTED);
    let found = inspect::<SessionRecord>(&*shared.programs, &keys).await;
    is_all &= found.iter().all(|(_, shown)| shown.is_ok());
    let shown = found.iter().filter_map(|(_, shown)| shown.as_ref().ok());
    // Sessions of users that ended with all others stay for a while, and so does the reason of an end. Their
    // times are those of servers, whose clocks agree.
    let everyone = Key::new(EveryoneRecord::KIND, "all");
    let ended = number_of::<EveryoneRecord>(&*shared.programs, &everyone, "ended_us").await;
    is_all &= ended.is_ok();
    // If that is unknown, any of them may have ended.
    let ended = ended.unwrap_or(i64::MAX);
    let signed_in = shown.filter(|shown| {
        let at = field(shown, "signed_in_us").and_then(|at| at.parse().ok());
        at.is_some_and(|at: i64| at > ended)
    });
    let count = signed_in.count() as u64;
    let sessions = of(count, "session is", "sessions are");
    let text = match is_all {
        true => format!("{sessions} in this store."),
        false => format!("At least {sessions} in this store: not all could be counted."),
    };
    (count, text)
}
