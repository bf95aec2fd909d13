//! One type for each shape.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plain {
    title: String,
    year: Option<u16>,
    cast: Vec<String>,
}

impl Plain {
    pub(crate) fn new() -> Self {
        Self {
            title: "Metropolis".to_owned(),
            year: Some(1927),
            cast: vec!["Brigitte Helm".to_owned()],
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unit;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// Bytes as bytes, as `serde_bytes` writes them.
#[derive(Clone, Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Bytes(bytes))
    }
}

/// A type that serializes as text in readable formats and as a number in binary ones, like dates and UUIDs.
#[derive(Clone, Debug)]
pub(crate) struct Stamp(pub(crate) u64);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("t{}", self.0))
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let number = text.strip_prefix('t').and_then(|text| text.parse().ok());
            number
                .map(Self)
                .ok_or_else(|| de::Error::custom("no stamp"))
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum External {
    Unit,
    Newtype(Box<External>),
    Tuple(u8, String),
    Struct { by: IpAddr },
}

impl External {
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::Unit,
            Self::Newtype(Box::new(Self::Unit)),
            Self::Tuple(1, "a".to_owned()),
            Self::Struct {
                by: [192, 0, 2, 7].into(),
            },
        ]
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Internal {
    Seen { by: IpAddr, at: Stamp },
    Gone,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum InternalMap {
    Map { names: BTreeMap<u32, String> },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum InternalBytes {
    Body { bytes: Bytes },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum InternalWide {
    Wide { wide: u128 },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "value")]
pub(crate) enum Adjacent {
    Seen { by: IpAddr, at: Stamp },
    Pair(u8, u8),
    Gone,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Untagged {
    Address(IpAddr),
    Number(i64),
    Name(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum UntaggedBytes {
    Bytes(Bytes),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Overlapping {
    Narrow(u8),
    Wide(u16),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flat {
    pub(crate) id: u32,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rest {
    pub(crate) by: IpAddr,
    pub(crate) at: Stamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlatMap {
    pub(crate) id: u32,
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FlatNumbers {
    pub(crate) id: u32,
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<u32, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Side {
    Left,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Skipping {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<u8>,
    pub(crate) n: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Forgetful {
    #[serde(skip_deserializing)]
    pub(crate) n: u8,
}

/// Each step is two deep: a struct and a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Nested {
    inner: Vec<Nested>,
}

impl Nested {
    pub(crate) fn of_depth(steps: usize) -> Self {
        (1..steps).fold(Self { inner: vec![] }, |nested, _| Self {
            inner: vec![nested],
        })
    }
}
