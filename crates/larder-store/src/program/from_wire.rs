use bytes::Bytes;

use super::{Inspection, Wire};
use crate::{Result, Timestamp};

/// A reply that can be read from a script's answer.
///
/// A `bool` is 1 or 0, and `false` for Lua's `false`; an `Option` is `None` for Lua's `false`. A tuple
/// is a list of exactly its length. Lua ends a list at its first `nil`: put `false` there.
pub trait FromWire: Sized {
    /// Reads the answer.
    ///
    /// # Errors
    /// If the answer has another form. The step may have run.
    fn from_wire(wire: Wire) -> Result<Self>;
}

impl Wire {
    /// Reads the answer as a `T`.
    ///
    /// # Errors
    /// If the answer has another form. The step may have run.
    pub fn read<T: FromWire>(self) -> Result<T> {
        T::from_wire(self)
    }

    /// Reads a flat list of names and values, as `HGETALL` and `ZRANGE WITHSCORES` return it.
    ///
    /// # Errors
    /// If the answer has another form, or a name has no value.
    pub fn pairs<A: FromWire, B: FromWire>(self) -> Result<Vec<(A, B)>> {
        let mut list = self.list()?.into_iter();
        let mut pairs = Vec::with_capacity(list.len() / 2);
        while let Some(first) = list.next() {
            let second = list
                .next()
                .ok_or_else(|| Self::unexpected("names and values"))?;
            pairs.push((first.read()?, second.read()?));
        }
        Ok(pairs)
    }
}

impl FromWire for Wire {
    fn from_wire(wire: Wire) -> Result<Self> {
        Ok(wire)
    }
}

impl FromWire for () {
    fn from_wire(_: Wire) -> Result<Self> {
        Ok(())
    }
}

impl FromWire for bool {
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire.optional_int()? {
            Some(1) => Ok(true),
            Some(0) | None => Ok(false),
            _ => Err(Wire::unexpected("1 or 0")),
        }
    }
}

impl FromWire for i64 {
    fn from_wire(wire: Wire) -> Result<Self> {
        wire.int()
    }
}

impl FromWire for u64 {
    fn from_wire(wire: Wire) -> Result<Self> {
        u64::try_from(wire.int()?).map_err(|_| Wire::unexpected("a number that is not negative"))
    }
}

impl FromWire for u32 {
    fn from_wire(wire: Wire) -> Result<Self> {
        u32::try_from(wire.int()?).map_err(|_| Wire::unexpected("a number below 2^32"))
    }
}

impl FromWire for usize {
    fn from_wire(wire: Wire) -> Result<Self> {
        usize::try_from(wire.int()?).map_err(|_| Wire::unexpected("a number of items"))
    }
}

impl FromWire for Timestamp {
    fn from_wire(wire: Wire) -> Result<Self> {
        wire.int().map(Self::from_micros)
    }
}

impl FromWire for Bytes {
    fn from_wire(wire: Wire) -> Result<Self> {
        wire.bytes()
    }
}

impl<const N: usize> FromWire for [u8; N] {
    fn from_wire(wire: Wire) -> Result<Self> {
        let bytes = wire.bytes()?;
        (&*bytes)
            .try_into()
            .map_err(|_| Wire::unexpected("bytes of a fixed length"))
    }
}

impl FromWire for String {
    fn from_wire(wire: Wire) -> Result<Self> {
        String::from_utf8(wire.bytes()?.into()).map_err(|_| Wire::unexpected("UTF-8"))
    }
}

impl FromWire for Inspection {
    fn from_wire(wire: Wire) -> Result<Self> {
        Inspection::from_wire(wire)
    }
}

impl<T: FromWire> FromWire for Option<T> {
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire {
            Wire::Nil => Ok(None),
            wire => wire.read().map(Some),
        }
    }
}

impl<T: FromWire> FromWire for Vec<T> {
    fn from_wire(wire: Wire) -> Result<Self> {
        wire.list()?.into_iter().map(T::from_wire).collect()
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)+;)+) => {$(
        impl<$($name: FromWire),+> FromWire for ($($name,)+) {
            #[allow(non_snake_case, reason = "a variable is named after its type")]
            fn from_wire(wire: Wire) -> Result<Self> {
                let [$($name),+] = wire.array::<$count>()?;
                Ok(($($name.read()?,)+))
            }
        }
    )+};
}

tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Wire {
        Wire::Bytes(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn an_answer_is_read_as_the_type_that_is_asked_for() {
        let list = Wire::List(vec![text("7"), Wire::Nil, Wire::Int(1), text("ada")]);
        let read: (u32, Option<i64>, bool, String) = list.read().unwrap();
        assert_eq!(read, (7, None, true, "ada".to_owned()));
        let pairs = Wire::List(vec![text("a"), Wire::Int(1), text("b"), text("2")]);
        let pairs: Vec<(String, i64)> = pairs.pairs().unwrap();
        assert_eq!(pairs, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert!(!Wire::Nil.read::<bool>().unwrap());
        assert_eq!(Wire::List(vec![]).read::<Vec<i64>>().unwrap(), []);
    }

    #[test]
    fn an_answer_of_another_form_is_an_error() {
        assert!(Wire::Int(2).read::<bool>().is_err());
        assert!(Wire::Int(-1).read::<u64>().is_err());
        assert!(Wire::Int(1 << 33).read::<u32>().is_err());
        assert!(text("7.5").read::<i64>().is_err());
        assert!(Wire::List(vec![Wire::Int(1)]).read::<(i64, i64)>().is_err());
        assert!(Wire::List(vec![text("a")]).pairs::<String, i64>().is_err());
        assert!(
            Wire::Bytes(Bytes::from_static(b"\xff"))
                .read::<String>()
                .is_err()
        );
    }
}
