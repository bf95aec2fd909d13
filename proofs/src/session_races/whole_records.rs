//! Sessions of a store that writes whole records.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use larder_store::{Delete, Key, Kind, Put, Store, Ttl};

use super::keeper::{Act, FIELDS, Keeper, Reply, wait};

const SESSION: Kind = Kind::pinned("whole-session");
const LIST: Kind = Kind::pinned("whole-list");
const DISABLED: Kind = Kind::pinned("whole-disabled");
const HOUR: Ttl = Ttl::from_secs(3_600);
/// The list of the sessions of everyone.
const EVERYONE: &str = "everyone of them";

/// Sessions as most stores keep them: a request reads the record, changes it, and writes it whole.
///
/// A read writes too, since it extends the session. A user has a list of sessions, which ends with them.
pub struct WholeRecords {
    store: Arc<dyn Store>,
}

#[derive(Clone, Default)]
struct Record {
    user: Option<String>,
    fields: BTreeMap<&'static str, String>,
}

impl WholeRecords {
    /// Makes an instance on a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    async fn get(&self, kind: Kind, id: &str) -> Option<String> {
        let held = self.store.get(&Key::new(kind, id)).await;
        let held = held.expect("the store answers")?;
        Some(String::from_utf8_lossy(&held.value).into_owned())
    }

    async fn put(&self, kind: Kind, id: &str, text: String) {
        let put = Put::new(Key::new(kind, id), text, HOUR);
        let _ = self.store.put(&put).await.expect("the store answers");
    }

    async fn delete(&self, kind: Kind, id: &str) {
        let delete = Delete::new(Key::new(kind, id));
        let _ = self.store.delete(&delete).await.expect("the store answers");
    }

    async fn load(&self, id: &str) -> Option<Record> {
        let text = self.get(SESSION, id).await?;
        let mut lines = text.lines();
        let user = lines.next().filter(|user| !user.is_empty());
        let fields = FIELDS.into_iter().zip(lines);
        let fields = fields.filter(|(_, value)| !value.is_empty());
        Some(Record {
            user: user.map(str::to_owned),
            fields: fields
                .map(|(field, value)| (field, value.to_owned()))
                .collect(),
        })
    }

    async fn save(&self, id: &str, record: &Record) {
        let mut text = record.user.clone().unwrap_or_default();
        for field in FIELDS {
            text += "\n";
            text += record.fields.get(field).map_or("", String::as_str);
        }
        self.put(SESSION, id, text).await;
    }

    /// Gives a record a new id, and ends the old one.
    async fn replace(&self, old: Option<&str>, record: &Record) -> String {
        let id = format!("{:016x}", fastrand::u64(..));
        self.save(&id, record).await;
        if let Some(old) = old {
            self.delete(SESSION, old).await;
        }
        id
    }

    async fn list(&self, of: &str, id: &str, pause: u8) {
        let listed = self.get(LIST, of).await.unwrap_or_default();
        wait(pause).await;
        self.put(LIST, of, listed + id + "\n").await;
    }

    async fn end_list(&self, of: &str) {
        for id in self.get(LIST, of).await.unwrap_or_default().lines() {
            self.delete(SESSION, id).await;
            wait(1).await;
        }
        self.delete(LIST, of).await;
    }
}

#[async_trait]
impl Keeper for WholeRecords {
    async fn answer(&self, cookie: Option<String>, act: Act, pause: u8) -> Reply {
        let held = match &cookie {
            Some(id) => self.load(id).await,
            None => None,
        };
        let mut record = held.clone().unwrap_or_default();
        let mut reply = Reply {
            cookie,
            user: record.user.clone(),
            fields: record.fields.clone(),
        };
        let old = reply.cookie.clone().filter(|_| held.is_some());
        if let Act::SignIn(user) = &act {
            if self.get(DISABLED, user).await.is_some() {
                return reply;
            }
            record.user = Some(user.clone());
        }
        wait(pause).await;
        match (act, old) {
            (Act::SignIn(user), old) => {
                let id = self.replace(old.as_deref(), &record).await;
                self.list(&user, &id, pause).await;
                self.list(EVERYONE, &id, pause).await;
                reply.cookie = Some(id);
            }
            (Act::Write(field, value), old) => {
                record.fields.insert(field, value);
                match &old {
                    Some(id) => self.save(id, &record).await,
                    None => reply.cookie = Some(self.replace(None, &record).await),
                }
            }
            (Act::Read, Some(id)) => self.save(&id, &record).await,
            (Act::Rotate, Some(id)) => {
                reply.cookie = Some(self.replace(Some(&id), &record).await);
            }
            (Act::SignOut, Some(id)) => {
                self.delete(SESSION, &id).await;
                reply.cookie = None;
            }
            (Act::Read | Act::Rotate | Act::SignOut, None) => {}
        }
        reply
    }

    async fn revoke_all(&self, user: &str) {
        self.end_list(user).await;
    }

    async fn disable(&self, user: &str) {
        self.put(DISABLED, user, "yes".to_owned()).await;
        self.end_list(user).await;
    }

    async fn revoke_everyone(&self) {
        self.end_list(EVERYONE).await;
    }
}
