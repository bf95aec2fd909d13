//! What a text that names a queue may mean.

use larder::Key;
use larder::queue::QueueRecord;
use larder::store::program::Record;
use percent_encoding::percent_decode_str;

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
    let parse = |text: &str| Key::parse(text, &[QueueRecord::KIND]).map(Key::without_part);
    if let Ok(whole) = parse(text) {
        return Ok(vec![of_key(&whole)?]);
    }
    let mut readings = Vec::new();
    if let Ok(listed) = parse(&format!("{}:{{{text}}}", QueueRecord::KIND.name())) {
        readings.extend(of_key(&listed));
    }
    let plain = Reading {
        name: text.to_owned(),
        number: None,
    };
    if !readings.contains(&plain) {
        readings.push(plain);
    }
    Ok(readings)
}

/// Returns the name behind a key.
fn of_key(key: &Key) -> Result<Reading> {
    let id = id_of(key);
    let (name, number) = match id.split_once(':') {
        Some((name, number)) => (name, number.parse().ok()),
        None => (id, None),
    };
    let name = percent_decode_str(name).decode_utf8();
    let name = name.map(String::from).unwrap_or_default();
    // A text that is written back differently, such as a hash, is not a name.
    match key_of(&name, number) == *key {
        true => Ok(Reading { name, number }),
        false => Err(Error::usage(
            "no name of a queue can be told from this key, which is hashed if the name is long: name it as the app \
             does",
        )),
    }
}

/// Returns the id under which `queue ls` lists a queue, or its name if the id is hashed.
pub(super) fn label(key: &Key, name: &str, partition: Option<u16>) -> String {
    match (of_key(key), partition) {
        (Ok(_), _) => id_of(key).to_owned(),
        (Err(_), Some(number)) => format!("{name}:{number}"),
        (Err(_), None) => name.to_owned(),
    }
}

pub(super) fn key_of(name: &str, partition: Option<u16>) -> Key {
    match partition {
        Some(number) => Key::new(QueueRecord::KIND, (name, u32::from(number))),
        None => Key::new(QueueRecord::KIND, name),
    }
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
