use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_layer::StoreTimeout;
use larder_store::{Delete, Entry, Key, Kind, Put, Result, Store, Ttl, count_poisoned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::form;

/// A session store for tower-sessions, on a larder store.
///
/// The [crate's page](crate) describes it. Clones are cheap and share the store.
#[derive(Clone)]
pub struct LarderStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) timeout: StoreTimeout,
}

// A sign-out must hold in every process at once.
const KIND: Kind = Kind::pinned("tower-session").with_consistent_reads();
/// The number of ids that are tried for a new session. Two random ids of 128 bits are never equal.
const TRIES: usize = 3;

impl LarderStore {
    /// The default timeout of a store call: 250 ms.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);

    /// Keeps sessions in `store`, with the default timeout.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            timeout: StoreTimeout::new(Self::DEFAULT_TIMEOUT, None),
        }
    }

    /// Sets how long one store call may take. The default is [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT), 250 ms.
    ///
    /// It is clamped to 1 ms to 1 hour.
    #[must_use]
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = StoreTimeout::new(timeout, None);
        self
    }

    /// Writes a session if the condition is met.
    pub(crate) async fn put(&self, record: &Written, when: When) -> Result<Saved> {
        let Some(put) = request(record) else {
            // A new session that has expired is not written: its id may belong to another session.
            if let When::Present = when {
                self.delete(record.id).await?;
            }
            return Ok(Saved::Expired);
        };
        let put = match when {
            When::Absent => put.if_absent(),
            When::Present => put.if_present(),
        };
        let outcome = self.timeout.put(&*self.store, &put).await?;
        Ok(match outcome.is_stored() {
            true => Saved::Written,
            false => Saved::Unmet,
        })
    }

    pub(crate) async fn read(&self, id: i128) -> Result<Read> {
        let entry = self.timeout.get(&*self.store, &key(id)).await?;
        let Some(Entry { value, .. }) = entry else {
            return Ok(Read::Absent);
        };
        let read = form::read(&value)
            .and_then(|(expiry, data)| Some((expiry, serde_json::from_slice(data).ok()?)));
        Ok(match read {
            Some((expiry, data)) => Read::Found { expiry, data },
            None => {
                count_poisoned(KIND);
                Read::Damaged
            }
        })
    }

    async fn delete(&self, id: i128) -> Result<()> {
        let delete = Delete::new(key(id));
        let _ = self.timeout.delete(&*self.store, &delete).await?;
        Ok(())
    }
}

/// A session, whatever the version of tower-sessions.
pub(crate) struct Written {
    id: i128,
    expiry: OffsetDateTime,
    data: Vec<u8>,
}

impl Written {
    /// # Errors
    /// If the data are nested too deep to be read again, or are not JSON.
    pub(crate) fn new(id: i128, expiry: OffsetDateTime, data: &Data) -> Result<Self, String> {
        if !data
            .values()
            .all(|value| is_nested_at_most(value, MAX_DEPTH))
        {
            return Err(format!(
                "the data of a session are nested deeper than {MAX_DEPTH}"
            ));
        }
        let data = serde_json::to_vec(data).map_err(|error| error.to_string())?;
        Ok(Self { id, expiry, data })
    }
}

/// How deep the values of a session may be nested. serde_json reads no deeper than 127, with the map around them.
const MAX_DEPTH: usize = 126;

fn is_nested_at_most(value: &Value, depth: usize) -> bool {
    let Some(inner) = depth.checked_sub(1) else {
        return !matches!(value, Value::Array(_) | Value::Object(_));
    };
    match value {
        Value::Array(list) => list.iter().all(|value| is_nested_at_most(value, inner)),
        Value::Object(map) => map.values().all(|value| is_nested_at_most(value, inner)),
        _ => true,
    }
}

/// Returns one line with the texts of all sources of an error, none of which holds a secret.
pub(crate) fn in_one_line(error: &larder_store::Error) -> String {
    format!("{error:?}")
}

/// The outcome of writing a session.
#[derive(PartialEq, Eq)]
pub(crate) enum Saved {
    Written,
    /// The condition was not met: there is something under this id, or nothing.
    Unmet,
    /// The session has expired, and is not stored.
    Expired,
}

/// The content of the store under the id of a session.
pub(crate) enum Read {
    Absent,
    Damaged,
    Found { expiry: OffsetDateTime, data: Data },
}

type Data = HashMap<String, Value>;

pub(crate) enum When {
    Absent,
    Present,
}

/// Returns the key of a session: a hash of its id, because the id is the secret in the cookie.
fn key(id: i128) -> Key {
    let digest = Sha256::new()
        .chain_update(b"larder-tower-sessions:")
        .chain_update(id.to_be_bytes())
        .finalize();
    Key::new(KIND, URL_SAFE_NO_PAD.encode(digest))
}

/// Returns the request that writes a session. None if it has expired.
pub(crate) fn request(record: &Written) -> Option<Put> {
    let value = form::write(record.expiry, &record.data);
    Some(Put::new(key(record.id), value, ttl(record.expiry)?))
}

/// Returns how long a session has left. None if it has expired.
fn ttl(expiry: OffsetDateTime) -> Option<Ttl> {
    let left = (expiry - OffsetDateTime::now_utc()).whole_microseconds();
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    (left > 0).then(|| Ttl::covering_micros(left))
}

/// Implements the trait of one version of tower-sessions: the versions differ only in name.
macro_rules! session_store {
    ($core:ident) => {
        const _: () = {
            use $core::SessionStore;
            use $core::session::{Id, Record};
            use $core::session_store::{Error, Result};

            fn written(record: &Record) -> Result<Written> {
                let written = Written::new(record.id.0, record.expiry_date, &record.data);
                written.map_err(Error::Encode)
            }

            fn failed(error: larder_store::Error) -> Error {
                Error::Backend(in_one_line(&error))
            }

            #[async_trait::async_trait]
            impl SessionStore for LarderStore {
                async fn create(&self, record: &mut Record) -> Result<()> {
                    for _ in 0..TRIES {
                        let put = self.put(&written(record)?, When::Absent).await;
                        if put.map_err(failed)? != Saved::Unmet {
                            return Ok(());
                        }
                        record.id = Id::default();
                    }
                    let why =
                        "every id that was tried belongs to a session: is the generator broken?";
                    Err(Error::Backend(why.to_owned()))
                }

                async fn save(&self, record: &Record) -> Result<()> {
                    // A session that was deleted in the meantime stays deleted.
                    let put = self.put(&written(record)?, When::Present).await;
                    put.map(drop).map_err(failed)
                }

                async fn load(&self, id: &Id) -> Result<Option<Record>> {
                    Ok(match self.read(id.0).await.map_err(failed)? {
                        Read::Found { expiry, data } => Some(Record {
                            id: *id,
                            data,
                            expiry_date: expiry,
                        }),
                        Read::Absent | Read::Damaged => None,
                    })
                }

                async fn delete(&self, id: &Id) -> Result<()> {
                    self.delete(id.0).await.map_err(failed)
                }
            }
        };
    };
}

#[cfg(not(any(feature = "v0_14", feature = "v0_15")))]
compile_error!("enable the feature of your version of tower-sessions: v0_14 or v0_15");
#[cfg(feature = "v0_15")]
session_store!(tower_sessions_core);
#[cfg(feature = "v0_14")]
session_store!(tower_sessions_core_0_14);

impl fmt::Debug for LarderStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LarderStore")
            .field("store", &self.store.location())
            .finish_non_exhaustive()
    }
}
