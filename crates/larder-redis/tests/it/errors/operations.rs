//! Operations of each kind, and their results.

use std::sync::Arc;

use larder_redis::RedisStore;
use larder_store::bus::{Bus, Channel, Topic};
use larder_store::program::Programs;
use larder_store::{Delete, Error, ErrorKind, Put, Refusal, Result, Store, Ttl, Version};

use super::Who;
use crate::support::{Add, Look, Remove, Set, key, programs, tally, until};

/// The kinds of operations that a server refuses separately.
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
    /// A command that frees memory, or uses no more.
    Remove,
    /// A script that frees memory.
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

/// All operations on a store, with their keys and values.
pub(crate) struct Operations {
    store: Arc<RedisStore>,
    programs: Arc<dyn Programs>,
    bus: Option<Arc<dyn Bus>>,
    id: &'static str,
    value: &'static str,
}

const MINUTE: Ttl = Ttl::from_secs(60);

impl Operations {
    /// Makes the operations with the id and the value of `who`.
    pub(crate) fn on(store: &Arc<RedisStore>, who: Who) -> Self {
        Self {
            store: store.clone(),
            programs: programs(store),
            bus: store.clone().bus(),
            id: who.id,
            value: who.value,
        }
    }

    /// Returns the id of a key that exists, and of one that does not.
    fn ids(&self) -> [String; 2] {
        [self.id.to_owned(), format!("{} none", self.id)]
    }

    fn put(&self, id: &str) -> Put {
        Put::new(key(id), self.value, MINUTE)
    }

    /// Writes the entries that the operations need, and removes the others.
    pub(crate) async fn prepare(&self) {
        let [_, none] = self.ids();
        let _ = self.store.put(&self.put(self.id)).await.unwrap();
        let _ = self.store.delete(&Delete::new(key(&*none))).await.unwrap();
        let set = Set { to: 5, ms: 60_000 };
        self.programs.run(&tally(self.id), &set).await.unwrap();
    }

    /// Runs each form of one kind of operation, and returns the results.
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

    /// Runs all operations, and returns the errors.
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

    /// Checks that these operations are refused, with a code in the text.
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

    /// Checks that all operations except these work.
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

    /// Checks that all operations work at once.
    pub(crate) async fn work(&self, when: &str) {
        self.work_but_for(&[], when).await;
    }

    /// Checks that all operations work once the store is connected again.
    pub(crate) async fn recover(&self, when: &str) {
        until("connected again", || async {
            self.store.get(&key(self.id)).await.is_ok()
        })
        .await;
        self.work(when).await;
    }

    /// Checks that the prepared entries are unchanged, and that there are no others.
    pub(crate) async fn are_undone(&self, when: &str) {
        let [here, none] = self.ids();
        let held = self.store.get(&key(&*here)).await.unwrap();
        assert_eq!(held.unwrap().value, self.value, "{when}");
        assert_eq!(self.store.get(&key(&*none)).await.unwrap(), None, "{when}");
        let seen = self.programs.run(&tally(&*here), &Look::default()).await;
        assert_eq!(seen.unwrap().fields()[0].1, "5", "{when}");
    }
}
