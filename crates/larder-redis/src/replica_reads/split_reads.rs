use ::redis::{Pipeline, Value};
use futures_util::future::join_all;
use larder_store::{Key, Result};

use super::ReplicaReads;
use super::reader::Reader;
use crate::commands;

/// The reads of replicas, split by replica.
pub(crate) struct Parts(Vec<Part>);

/// The reads of one replica.
struct Part {
    reader: Reader,
    items: Vec<usize>,
    commands: Pipeline,
}

impl ReplicaReads {
    /// Splits the keys at `sent` into those for replicas and the others.
    ///
    /// A batch asks one replica of each master.
    pub(crate) fn split(&self, keys: &[Key], sent: Vec<usize>) -> (Parts, Vec<usize>) {
        let turn = fastrand::usize(..);
        let (mut parts, mut rest) = (Parts(Vec::new()), Vec::new());
        for item in sent {
            match self.shared.serving(&keys[item], turn) {
                Some(reader) => parts.add(reader, item, &keys[item]),
                None => rest.push(item),
            }
        }
        (parts, rest)
    }
}

impl Parts {
    fn add(&mut self, reader: Reader, item: usize, key: &Key) {
        let same = |part: &&mut Part| part.reader.is_same(&reader);
        if let Some(part) = self.0.iter_mut().find(same) {
            part.items.push(item);
            part.commands.add_command(commands::get(key));
            return;
        }
        let mut commands = Pipeline::new();
        commands.add_command(commands::get(key));
        self.0.push(Part {
            reader,
            items: vec![item],
            commands,
        });
    }

    /// Asks the replicas concurrently, each in one round trip. Returns their answers, and the items
    /// without an answer.
    pub(crate) async fn ask(self, name: &'static str) -> (Vec<(usize, Result<Value>)>, Vec<usize>) {
        let asking = self.0.iter();
        let asking = asking.map(|part| part.reader.ask_all(name, &part.commands));
        let (mut answered, mut unanswered) = (Vec::new(), Vec::new());
        for (part, answers) in self.0.iter().zip(join_all(asking).await) {
            for (&item, answer) in part.items.iter().zip(answers) {
                match answer {
                    Some(answer) => answered.push((item, Ok(answer))),
                    None => unanswered.push(item),
                }
            }
        }
        (answered, unanswered)
    }
}
