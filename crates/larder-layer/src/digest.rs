use std::fmt::{self, Display};
use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use serde::ser::{self, Serialize};

/// Returns whether two values are the same to serde: one as written, one as read back.
///
/// Both must make the same calls to a serializer, down to the width of a number and the presence of an
/// option. The order of a list or a map does not count, because a set that was read back may have
/// another. A value that cannot be serialized equals no other.
///
/// `human_readable` selects the form of types that have two in serde, such as addresses.
pub fn same_to_serde<V: Serialize + ?Sized>(written: &V, read: &V, human_readable: bool) -> bool {
    let written = digest(written, human_readable);
    written.is_some() && written == digest(read, human_readable)
}

/// Hashes the calls that `value` makes to a serializer. None if it cannot be serialized.
fn digest<V: Serialize + ?Sized>(value: &V, human_readable: bool) -> Option<u64> {
    value.serialize(Digest { human_readable }).ok()
}

/// A serializer that writes nothing, and hashes the calls that it gets.
#[derive(Clone, Copy)]
struct Digest {
    human_readable: bool,
}

/// The kind of a serializer call, which distinguishes `None` from `()`, for example.
#[derive(Clone, Copy, Hash)]
enum Call {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    UnitStruct,
    Newtype,
    Variant,
    Seq,
    Tuple,
    Map,
    Struct,
    Field,
}

fn leaf(call: Call, what: impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one((call, what))
}

macro_rules! leaves {
    ($($method:ident, $type:ty, $call:ident;)*) => {
        $(fn $method(self, value: $type) -> Result<u64, Refused> {
            Ok(leaf(Call::$call, value))
        })*
    };
}

impl ser::Serializer for Digest {
    type Ok = u64;
    type Error = Refused;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    leaves! {
        serialize_bool, bool, Bool;
        serialize_i8, i8, I8;
        serialize_i16, i16, I16;
        serialize_i32, i32, I32;
        serialize_i64, i64, I64;
        serialize_i128, i128, I128;
        serialize_u8, u8, U8;
        serialize_u16, u16, U16;
        serialize_u32, u32, U32;
        serialize_u64, u64, U64;
        serialize_u128, u128, U128;
        serialize_char, char, Char;
        serialize_str, &str, Str;
        serialize_bytes, &[u8], Bytes;
    }

    fn is_human_readable(&self) -> bool {
        self.human_readable
    }

    fn serialize_f32(self, value: f32) -> Result<u64, Refused> {
        Ok(leaf(Call::F32, value.to_bits()))
    }

    fn serialize_f64(self, value: f64) -> Result<u64, Refused> {
        Ok(leaf(Call::F64, value.to_bits()))
    }

    fn serialize_none(self) -> Result<u64, Refused> {
        Ok(leaf(Call::None, ()))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        Ok(leaf(Call::Some, value.serialize(self)?))
    }

    fn serialize_unit(self) -> Result<u64, Refused> {
        Ok(leaf(Call::Unit, ()))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<u64, Refused> {
        Ok(leaf(Call::UnitStruct, ()))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<u64, Refused> {
        Ok(leaf(Call::Variant, (index, variant)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        Ok(leaf(Call::Newtype, value.serialize(self)?))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        let value = value.serialize(self)?;
        Ok(leaf(Call::Variant, (index, variant, value)))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::new(self, Call::Seq))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::new(self, Call::Tuple))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::new(self, Call::Tuple))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(Parts::of_variant(self, index, variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts::new(self, Call::Map))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        Ok(Parts::new(self, Call::Struct))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        Ok(Parts::of_variant(self, index, variant))
    }
}

/// The parts of a list, a map or a struct so far.
struct Parts {
    digest: Digest,
    call: Call,
    variant: u64,
    count: u64,
    // A sum, so that the order does not matter.
    sum: u64,
    key: u64,
}

impl Parts {
    fn new(digest: Digest, call: Call) -> Self {
        Self {
            digest,
            call,
            variant: 0,
            count: 0,
            sum: 0,
            key: 0,
        }
    }

    fn of_variant(digest: Digest, index: u32, variant: &'static str) -> Self {
        Self {
            variant: leaf(Call::Variant, (index, variant)),
            ..Self::new(digest, Call::Variant)
        }
    }

    fn add(&mut self, part: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(part);
    }

    /// Adds a part of a tuple, in which the order counts.
    fn add_in_place<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let part = value.serialize(self.digest)?;
        self.add(leaf(Call::Field, (self.count, part)));
        Ok(())
    }

    fn add_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        let part = value.serialize(self.digest)?;
        self.add(leaf(Call::Field, (name, part)));
        Ok(())
    }

    fn total(&self) -> u64 {
        leaf(self.call, (self.variant, self.count, self.sum))
    }
}

impl ser::SerializeSeq for Parts {
    type Ok = u64;
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let part = value.serialize(self.digest)?;
        self.add(part);
        Ok(())
    }

    fn end(self) -> Result<u64, Refused> {
        Ok(self.total())
    }
}

impl ser::SerializeMap for Parts {
    type Ok = u64;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        self.key = key.serialize(self.digest)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let value = value.serialize(self.digest)?;
        self.add(leaf(Call::Field, (self.key, value)));
        Ok(())
    }

    fn end(self) -> Result<u64, Refused> {
        Ok(self.total())
    }
}

macro_rules! in_place {
    ($($part:ident, $method:ident;)*) => {
        $(impl ser::$part for Parts {
            type Ok = u64;
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.add_in_place(value)
            }

            fn end(self) -> Result<u64, Refused> {
                Ok(self.total())
            }
        })*
    };
}

in_place! {
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

macro_rules! named {
    ($($part:ident),*) => {
        $(impl ser::$part for Parts {
            type Ok = u64;
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                self.add_field(name, value)
            }

            fn end(self) -> Result<u64, Refused> {
                Ok(self.total())
            }
        })*
    };
}

named!(SerializeStruct, SerializeStructVariant);

/// The error of a value that cannot be serialized, without its text, which may contain parts of the
/// value.
#[derive(Debug)]
struct Refused;

impl ser::Error for Refused {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value cannot be serialized")
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use super::*;

    fn of(value: impl Serialize) -> Option<u64> {
        digest(&value, true)
    }

    #[test]
    fn values_with_different_serializer_calls_have_different_digests() {
        let told: Vec<Option<u64>> = vec![
            of(()),
            of(None::<()>),
            of(Some(())),
            of(Some(None::<()>)),
            of(5_u8),
            of(5_u16),
            of(5_i64),
            of(5.0_f32),
            of(5.0_f64),
            of('5'),
            of("5"),
            of((1, 2)),
            of((2, 1)),
            of([1]),
            of(vec![1]),
            of(vec![1, 1]),
            of(vec![1, 2]),
            of(BTreeMap::from([(1, 2), (3, 4)])),
            of(BTreeMap::from([(1, 4), (3, 2)])),
            of(Ok::<_, ()>(1)),
            of(Err::<(), _>(1)),
        ];
        let distinct: HashSet<_> = told.iter().copied().collect();
        assert_eq!(distinct.len(), told.len());
        assert!(!distinct.contains(&None));
    }

    #[test]
    fn the_order_of_a_map_does_not_count() {
        let there: HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
        let back: HashMap<u32, u32> = (0..100).rev().map(|n| (n, n)).collect();
        assert_eq!(of(there), of(back));
    }
}
