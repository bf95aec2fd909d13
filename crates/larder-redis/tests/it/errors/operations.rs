//! One of each kind of operation, and what came of them.

use std::sync::Arc;

use larder_redis::RedisStore;
use larder_store::bus::{Bus, Channel, Topic};
use larder_store::program::Programs;
use larder_store::{Delete, Error, ErrorKind, Put, Refusal, Result, Store, Ttl, Version};

use super::Who;
use crate::support::{Add, Look, Remove, Set, key, programs, tally, until};

/// What a server tells apart when it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A command that reads.
    Read,
    /// A program that reads.
    Look,
    /// A command that writes.
    Write,
    /// A script that writes.
    Step,
    /// A command that gives back, or makes nothing larger.
    Remove,
    /// A script that gives back.
    RemoveStep,
    /// A message.
    Publish,
}

impl Operation {
    pub(crate) const ALL: [Self; 7] = [
        Self::Read,
        Self::Look,
        Self::Write,
        Self::Step,
        Self::Remove,
        Self::RemoveStep,
        Self::Publish,
    ];
}

/// Everything that is done on a store, under keys and with values of one's own.
pub(crate) struct Operations {
    store: Arc<RedisStore>,
    programs: Arc<dyn Programs>,
    bus: Option<Arc<dyn Bus>>,
    id: &'static str,
    value: &'static str,
}

const MINUTE: Ttl = Ttl::from_secs(60);

impl Operations {
    /// Under the id and with the value of `who`.
    pub(crate) fn on(store: &Arc<RedisStore>, who: Who) -> Self {
        Self {
            store: store.clone(),
            programs: programs(store),
            bus: store.clone().bus(),
            id: who.id,
            value: who.value,
        }
    }

    /// A key that is there, and one that is not.
    fn ids(&self) -> [String; 2] {
        [self.id.to_owned(), format!("{} none", self.id)]
    }

    fn put(&self, id: &str) -> Put {
        Put::new(key(id), self.value, MINUTE)
    }

    /// Writes what each operation finds, and nothing else.
    pub(crate) async fn prepare(&self) {
        let [_, none] = self.ids();
        let _ = self.store.put(&self.put(self.id)).await.unwrap();
        let _ = self.store.delete(&Delete::new(key(&*none))).await.unwrap();
        let set = Set { to: 5, ms: 60_000 };
        self.programs.run(&tally(self.id), &set).await.unwrap();
    }

    /// What came of one kind: of each of its forms.
    pub(crate) async fn run(&self, operation: Operation) -> Vec<Result<()>> {
        let (store, [here, none]) = (&self.store, self.ids());
        let (there, number) = (key(&*here), tally(&*here));
        match operation {
            Operation::Read => {
                let mut all = vec![
                    store.get(&there).await.map(drop),
                    store.ttl(&there).await.map(drop),
                ];
                let many = store.get_many(&[there, key(&*none)]).await;
                all.extend(many.into_iter().map(|one| one.map(drop)));
                all
            }
            Operation::Look => {
                let look = Look::default();
                vec![self.programs.run(&number, &look).await.map(drop)]
            }
            Operation::Write => {
                let puts = [self.put(&none), self.put(&here)];
                let mut all = vec![store.put(&puts[0]).await.map(drop)];
                let many = store.put_many(&puts).await;
                all.extend(many.into_iter().map(|one| one.map(drop)));
                all
            }
            Operation::Step => {
                let versioned = self.put(&none).if_version(Version::random());
                let (add, set) = (Add { by: 1, ms: 60_000 }, Set { to: 6, ms: 60_000 });
                vec![
                    store.put(&versioned).await.map(drop),
                    self.programs.run(&number, &add).await.map(drop),
                    self.programs.run(&number, &set).await.map(drop),
                ]
            }
            Operation::Remove => vec![
                store.expire(&there, MINUTE).await.map(drop),
                store.delete(&Delete::new(there)).await.map(drop),
            ],
            Operation::RemoveStep => {
                let delete = Delete::new(there).if_version(Version::random());
                vec![
                    store.delete(&delete).await.map(drop),
                    self.programs
                        .run(&number, &Remove::default())
                        .await
                        .map(drop),
                ]
            }
            Operation::Publish => match &self.bus {
                Some(bus) => {
                    let channel = Channel::new(Topic::broadcast("news"), &*here);
                    vec![bus.publish(&channel, self.value.into()).await]
                }
                None => Vec::new(),
            },
        }
    }

    /// The errors of everything.
    pub(crate) async fn errors(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        for operation in Operation::ALL {
            errors.extend(
                self.run(operation)
                    .await
                    .into_iter()
                    .filter_map(Result::err),
            );
        }
        errors
    }

    /// These are refused, with this code in the text.
    pub(crate) async fn are_refused(&self, refused: &[(Operation, Refusal)], code: &str) {
        for (operation, refusal) in refused {
            for (form, result) in self.run(*operation).await.into_iter().enumerate() {
                let what = format!("{code}: form {form} of {operation:?}");
                let error = result.expect_err(&what);
                assert_eq!(
                    error.kind(),
                    ErrorKind::Refused(*refusal),
                    "{what}: {error}"
                );
                assert!(error.to_string().contains('('), "no code: {error}");
            }
        }
    }

    /// All but these work.
    pub(crate) async fn work_but_for(&self, refused: &[(Operation, Refusal)], when: &str) {
        let is_refused = |operation: &Operation| refused.iter().any(|(it, _)| it == operation);
        for operation in Operation::ALL.into_iter().filter(|it| !is_refused(it)) {
            for (form, result) in self.run(operation).await.into_iter().enumerate() {
                if let Err(error) = result {
                    panic!("{when}: form {form} of {operation:?}: {error}");
                }
            }
        }
    }

    /// Everything works, at once.
    pub(crate) async fn work(&self, when: &str) {
        self.work_but_for(&[], when).await;
    }

    /// Everything works, once the connection is back.
    pub(crate) async fn recover(&self, when: &str) {
        until("connected again", || async {
            self.store.get(&key(self.id)).await.is_ok()
        })
        .await;
        self.work(when).await;
    }

    /// What was prepared is there as it was, and nothing else.
    pub(crate) async fn are_undone(&self, when: &str) {
        let [here, none] = self.ids();
        let held = self.store.get(&key(&*here)).await.unwrap();
        assert_eq!(held.unwrap().value, self.value, "{when}");
        assert_eq!(self.store.get(&key(&*none)).await.unwrap(), None, "{when}");
        let seen = self.programs.run(&tally(&*here), &Look::default()).await;
        assert_eq!(seen.unwrap().fields()[0].1, "5", "{when}");
    }
}
