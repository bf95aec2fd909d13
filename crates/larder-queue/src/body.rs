//! The stored form of a job: its name, headers and payload in a frame that reveals damage.
//!
//! Inside the envelope of larder: a version, the name, the number of headers, each header, and the payload.
//! Each text has its length in front, in two bytes.

use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use larder_layer::envelope;
use larder_store::Key;

use crate::Job;

/// The headers of a job, by name.
pub type Headers = BTreeMap<String, String>;

pub(crate) static NO_HEADERS: Headers = BTreeMap::new();

const MAGIC: [u8; 4] = *b"ljb\x01";

#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) name: Arc<str>,
    pub(crate) headers: Headers,
    pub(crate) payload: Bytes,
}

/// Why a payload cannot be read as the requested job.
///
/// It never shows the payload.
///
/// [The page of errors](https://github.com/larder-rs/larder/blob/main/docs/errors.md#jobs)
/// says what to do about each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadError {
    /// The stored bytes are not those that were enqueued.
    Damaged,
    /// The job is done: only its id is remembered.
    Absent,
    /// The job has another name.
    WrongName {
        /// The name of the requested type.
        expected: &'static str,
    },
    /// The payload cannot be read as the type.
    Undecodable {
        /// The requested type.
        expected: &'static str,
    },
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("the stored bytes of the job are damaged"),
            Self::Absent => f.write_str("the job is done, and its payload is no longer stored"),
            Self::WrongName { expected } => write!(f, "the job is not named '{expected}'"),
            Self::Undecodable { expected } => write!(
                f,
                "the payload cannot be read as {expected}: fields that were added need a default"
            ),
        }
    }
}

impl std::error::Error for PayloadError {}

/// Encodes a payload in MessagePack, with the names of fields.
pub(crate) fn encode<J: Job>(job: &J) -> Result<Bytes, &'static str> {
    rmp_serde::to_vec_named(job)
        .map(Bytes::from)
        .map_err(|_| "the job cannot be written in MessagePack: change the shape of its type")
}

impl Body {
    /// Returns the stored form for the queue at `key`. None if a text is longer than 64 KiB, or the name
    /// is empty or longer than 255 bytes.
    pub(crate) fn seal(&self, key: &Key) -> Option<Vec<u8>> {
        if !(1..=255).contains(&self.name.len()) {
            return None;
        }
        let mut bytes = vec![0; envelope::LEN];
        push(&mut bytes, &self.name)?;
        let headers = u16::try_from(self.headers.len()).ok()?;
        bytes.extend_from_slice(&headers.to_le_bytes());
        for (name, value) in &self.headers {
            push(&mut bytes, name)?;
            push(&mut bytes, value)?;
        }
        bytes.extend_from_slice(&self.payload);
        envelope::seal(MAGIC, key, &mut bytes)?;
        Some(bytes)
    }

    pub(crate) fn open(key: &Key, sealed: &Bytes) -> Result<Self, PayloadError> {
        let read = || {
            let content = envelope::open(MAGIC, key, sealed)?;
            let mut rest = content;
            let name = pull(&mut rest)?.into();
            let (count, after) = rest.split_first_chunk()?;
            rest = after;
            let mut headers = Headers::new();
            for _ in 0..u16::from_le_bytes(*count) {
                let name = pull(&mut rest)?.to_owned();
                headers.insert(name, pull(&mut rest)?.to_owned());
            }
            let payload = sealed.slice_ref(rest);
            Some(Self {
                name,
                headers,
                payload,
            })
        };
        read().ok_or(PayloadError::Damaged)
    }

    pub(crate) fn job<J: Job>(&self) -> Result<J, PayloadError> {
        if &*self.name != J::NAME {
            return Err(PayloadError::WrongName { expected: J::NAME });
        }
        // The error of the decoder may show a part of the payload.
        rmp_serde::from_slice(&self.payload).map_err(|_| PayloadError::Undecodable {
            expected: type_name::<J>(),
        })
    }
}

fn push(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    let length = u16::try_from(text.len()).ok()?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    Some(())
}

fn pull<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (length, after) = rest.split_first_chunk()?;
    let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use larder_store::Kind;
    use serde::{Deserialize, Serialize};

    use super::*;

    const QUEUE: Kind = Kind::record("queue");

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Mail {
        to: String,
    }

    impl Job for Mail {
        const NAME: &'static str = "mail";
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newer {
        to: String,
        #[serde(default)]
        copies: u32,
    }

    impl Job for Newer {
        const NAME: &'static str = "mail";
    }

    fn body() -> Body {
        Body {
            name: "mail".into(),
            headers: Headers::from([("traceparent".into(), "00-1".into())]),
            payload: encode(&Mail { to: "ada".into() }).unwrap(),
        }
    }

    #[test]
    fn a_body_reads_back_and_damage_is_seen() {
        let key = Key::new(QUEUE, "mail");
        let sealed = Bytes::from(body().seal(&key).unwrap());
        let read = Body::open(&key, &sealed).unwrap();
        assert_eq!(read.headers, body().headers);
        assert_eq!(read.job::<Mail>().unwrap(), Mail { to: "ada".into() });
        let newer = Newer {
            to: "ada".into(),
            copies: 0,
        };
        assert_eq!(read.job::<Newer>().unwrap(), newer);
        for at in 0..sealed.len() {
            let mut damaged = sealed.to_vec();
            damaged[at] ^= 1;
            let damaged = Body::open(&key, &damaged.into()).err();
            assert_eq!(damaged, Some(PayloadError::Damaged), "byte {at}");
            let short = Body::open(&key, &sealed.slice(..at)).err();
            assert_eq!(short, Some(PayloadError::Damaged), "{at} bytes");
        }
    }

    #[test]
    fn a_name_is_neither_empty_nor_long() {
        let key = Key::new(QUEUE, "mail");
        for name in [String::new(), "x".repeat(256)] {
            let body = Body {
                name: name.into(),
                ..body()
            };
            assert!(body.seal(&key).is_none());
        }
    }
}
