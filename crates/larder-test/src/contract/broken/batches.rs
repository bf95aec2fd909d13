use std::collections::HashMap;

use larder_store::{
    Condition, Delete, DeleteOutcome, Entry, Error, Key, Put, PutOutcome, Result, Store, Version,
};

use super::{BrokenStore, Fault};

const ONE_MIB: usize = 1024 * 1024;

impl BrokenStore {
    pub(super) async fn broken_get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let keys: Vec<Key> = keys.iter().map(|key| self.key(key)).collect();
        let ended: Vec<_> = keys.iter().map(|key| self.ended(key)).collect();
        let mut answers = self.model.get_many(&keys).await;
        match self.fault {
            Some(Fault::ExpiredIsReadWithOthers) => {
                for (answer, ended) in answers.iter_mut().zip(ended) {
                    if let (Ok(answer), Some(ended)) = (answer, ended) {
                        *answer = Some(ended);
                    }
                }
            }
            Some(Fault::GetManyReverses) => answers.reverse(),
            Some(Fault::GetManyDropsHoles) => answers.retain(|answer| !matches!(answer, Ok(None))),
            Some(Fault::GetManyAnswersRepeatsOnce) => {
                for (number, key) in keys.iter().enumerate() {
                    if keys[..number].contains(key) {
                        answers[number] = Ok(None);
                    }
                }
            }
            Some(Fault::GetManyDrawsVersions) => {
                for entry in answers.iter_mut().flatten().flatten() {
                    entry.version = Version::random();
                }
            }
            Some(Fault::BatchesEndAtOneMib) => {
                let mut total = 0;
                for answer in answers.iter_mut().flatten() {
                    total += answer.as_ref().map_or(0, |entry| entry.value.len());
                    answer.take_if(|_| keys.len() > 1 && total > ONE_MIB);
                }
            }
            Some(Fault::GetManyFailsWhole) => fail_whole(&mut answers),
            _ => {}
        }
        self.wrong_length(answers, None)
    }

    pub(super) async fn broken_put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        let mut puts: Vec<Put> = puts
            .iter()
            .map(|put| put.clone().at(self.key(put.key())))
            .collect();
        match self.fault {
            Some(Fault::PutManyIsAllOrNothing) => {
                let met = |put: &Put| {
                    let held = self.held(put.key()).map(|held| held.version);
                    put.condition().is_met_by(held)
                };
                if !puts.iter().all(met) {
                    return puts.iter().map(|_| Ok(PutOutcome::NotStored)).collect();
                }
            }
            Some(Fault::PutManySharesTtl) => {
                // The TTL is set afterwards: a new put would have a new version, which is another fault.
                let answers = self.model.put_many(&puts).await;
                for put in &puts {
                    let _ = self.model.expire(put.key(), puts[0].ttl()).await;
                }
                return answers;
            }
            Some(Fault::PutManyReverses) => puts.reverse(),
            Some(Fault::ExpiredMeetsPutMany) => {
                for put in &mut puts {
                    if self.ended(put.key()).is_some() {
                        *put = put.clone().on(Condition::Always);
                    }
                }
            }
            _ => {}
        }
        let mut answers = self.model.put_many(&puts).await;
        match self.fault {
            Some(Fault::PutManyReverses) => answers.reverse(),
            Some(Fault::PutManyFailsWhole) => fail_whole(&mut answers),
            _ => {}
        }
        self.wrong_length(answers, PutOutcome::NotStored)
    }

    pub(super) async fn broken_delete_many(
        &self,
        deletes: &[Delete],
    ) -> Vec<Result<DeleteOutcome>> {
        let own = deletes
            .iter()
            .map(|delete| delete.clone().at(self.key(delete.key())));
        let own: Vec<Delete> = match self.fault {
            Some(Fault::DeleteManyIgnoresConditions) => {
                own.map(|delete| delete.on(Condition::Always)).collect()
            }
            _ => own.collect(),
        };
        let ended: Vec<_> = own.iter().map(|it| self.ended(it.key())).collect();
        let mut answers = self.model.delete_many(&own).await;
        match self.fault {
            Some(Fault::DeleteManyRepeatsAnswers) => {
                let mut first = HashMap::new();
                for (delete, answer) in own.iter().zip(&mut answers) {
                    if let Ok(removed) = answer {
                        *removed = *first.entry(delete.key()).or_insert(*removed);
                    }
                }
            }
            Some(Fault::ExpiredIsDeletedWithOthers) => {
                for (answer, ended) in answers.iter_mut().zip(ended) {
                    if let (Ok(answer), Some(_)) = (answer, ended) {
                        *answer = DeleteOutcome::Deleted;
                    }
                }
            }
            Some(Fault::DeleteManyFailsWhole) => fail_whole(&mut answers),
            _ => {}
        }
        self.wrong_length(answers, DeleteOutcome::NotDeleted)
    }

    pub(super) fn wrong_length<T>(&self, mut answers: Vec<Result<T>>, extra: T) -> Vec<Result<T>> {
        match self.fault {
            Some(Fault::EmptyBatchHasAnAnswer) if answers.is_empty() => {
                answers.push(Ok(extra));
            }
            Some(Fault::BatchesEndAt512) => answers.truncate(512),
            _ => {}
        }
        answers
    }
}

/// If one answer is an error, makes all of them errors of that kind.
pub(super) fn fail_whole<T>(answers: &mut [Result<T>]) {
    let Some(kind) = answers
        .iter()
        .find_map(|answer| Some(answer.as_ref().err()?.kind()))
    else {
        return;
    };
    for answer in answers {
        *answer = Err(Error::new("many", kind, "one of them failed"));
    }
}
