use larder_store::{Key, Kind, Put, Store, Ttl};

use super::super::report::{Finding, Status};
use super::finding;

/// The user of a namespace. It may be evicted: the next app that looks writes it again.
const OWNER: Kind = Kind::evictable("larder-app");

/// How long an app that no longer looks is treated as the owner.
const KEPT: Ttl = Ttl::from_secs(7 * 24 * 3600);

/// The maximum length of an app's name that is written, in bytes.
const LONGEST: usize = 64;

/// Checks that no other app uses the namespace of a store, and records that this app does.
///
/// `app` names the app in all its releases and processes, such as `matinee`; at most 64 bytes count. Call it
/// with the store in its namespace when the app starts. It takes up to three round trips. The record lasts a week.
pub async fn namespace_owner(store: &dyn Store, app: &str) -> Finding {
    let app = &app.as_bytes()[..app.len().min(LONGEST)];
    let key = Key::new(OWNER, "owner");
    let unknown = |error: larder_store::Error| finding("L042", Status::Unknown, error.to_string());
    let put = Put::new(key.clone(), app.to_vec(), KEPT).if_absent();
    match store.put(&put).await {
        Ok(outcome) if outcome.is_stored() => return finding("L042", Status::Ok, "this app alone"),
        Ok(_) => {}
        Err(error) => return unknown(error),
    }
    let owner = match store.get(&key).await {
        Ok(owner) => owner,
        Err(error) => return unknown(error),
    };
    match owner {
        Some(owner) if owner.value != app => {
            let other = owner.value.get(..LONGEST).unwrap_or(&owner.value);
            let seen = format!("'{}' uses it too", other.escape_ascii());
            finding("L042", Status::Fail, seen)
        }
        _ => {
            // If this fails, the entry only ends earlier.
            let _ = store.expire(&key, KEPT).await;
            finding("L042", Status::Ok, "this app alone")
        }
    }
}
