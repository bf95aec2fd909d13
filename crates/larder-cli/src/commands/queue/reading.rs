//! What a text that names a queue may mean.

use larder::Key;
use larder::queue::QueueRecord;
use larder::store::program::Record;
use larder_ops::records::{keys_of, partition_key, partition_of};

use crate::args::QueueName;
use crate::error::{Error, Result};
use crate::key;
use crate::scan::id_of;
use crate::target::Target;

/// The name of a queue, and the number of a partition if only that is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) name: String,
    pub(super) number: Option<u16>,
}

/// Returns what a text may mean, in the order in which it is looked for: a whole key is one record, and other text is
/// first an id as `queue ls` shows it, and then a name as the app gives it.
pub(super) fn readings(target: &Target, named: &QueueName) -> Result<Vec<Reading>> {
    let text = key::named(&target.prefix, &named.name, &[QueueRecord::KIND])?;
    read(text)
}

fn read(text: &str) -> Result<Vec<Reading>> {
    let plain = key_of(text, None);
    let keys = keys_of::<QueueRecord>(text, text);
    if let [whole] = &keys[..]
        && *whole != plain
    {
        return of_key(whole).map(|reading| vec![reading]).ok_or_else(|| {
            Error::usage(
                "no name of a queue can be told from this key, which is hashed if the name is long: name it as the \
                 app does",
            )
        });
    }
    let of = |key: &Key| match *key == plain {
        // Also if its key is hashed.
        true => Some(Reading {
            name: text.to_owned(),
            number: None,
        }),
        false => of_key(key),
    };
    Ok(keys.iter().filter_map(of).collect())
}

/// Returns the name behind a key. None if it cannot be told.
fn of_key(key: &Key) -> Option<Reading> {
    let (name, number) = partition_of(key)?;
    Some(Reading { name, number })
}

/// Returns the id under which `queue ls` lists a queue, or its name if the id is hashed.
pub(super) fn label(key: &Key, name: &str, partition: Option<u16>) -> String {
    match (partition_of(key), partition) {
        (Some(_), _) => id_of(key).to_owned(),
        (None, Some(number)) => format!("{name}:{number}"),
        (None, None) => name.to_owned(),
    }
}

pub(super) fn key_of(name: &str, partition: Option<u16>) -> Key {
    partition_key(QueueRecord::KIND, name, partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_list_is_read_as_such_before_it_is_a_name() {
        let of = |name: &str, number| Reading {
            name: name.to_owned(),
            number,
        };
        for (text, readings) in [
            ("mail", vec![of("mail", None)]),
            ("mail:3", vec![of("mail", Some(3)), of("mail:3", None)]),
            ("mail:03", vec![of("mail:03", None)]),
            ("mail:x", vec![of("mail:x", None)]),
            (
                "mail%20out",
                vec![of("mail out", None), of("mail%20out", None)],
            ),
            ("mail out", vec![of("mail out", None)]),
            ("100%", vec![of("100%", None)]),
            ("queue:{mail:3}", vec![of("mail", Some(3))]),
            ("queue:{mail%3A3}:order", vec![of("mail:3", None)]),
        ] {
            assert_eq!(read(text).unwrap(), readings, "{text}");
        }
        let hashed = key_of(&"x".repeat(200), None);
        assert!(read(hashed.as_str()).is_err());
    }

    #[test]
    fn a_label_tells_a_partition_from_a_queue_whose_name_looks_like_one() {
        let long = "x".repeat(200);
        for (name, number, text) in [
            ("mail", None, "mail"),
            ("mail", Some(3), "mail:3"),
            ("mail:3", None, "mail%3A3"),
            (&long, None, &long),
            (&long, Some(3), &format!("{long}:3")),
        ] {
            assert_eq!(label(&key_of(name, number), name, number), text);
        }
    }
}
