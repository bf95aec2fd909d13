use std::sync::Arc;

use bytes::Bytes;

use super::Args;
use crate::{Timestamp, Ttl};

/// A value that a program sends as an argument.
///
/// Integers are sent in decimal, a `bool` as `1` or `0`, a [`Ttl`] in milliseconds, as the prelude's
/// `put` and `ttl` take it, and a [`Timestamp`] in microseconds, as `now()` gives it. `None` is the
/// empty text. Each item of a list is an argument of its own.
pub trait Arg {
    /// Adds the value to the arguments.
    fn write(&self, args: &mut Args);
}

impl Arg for i64 {
    #[inline]
    fn write(&self, args: &mut Args) {
        args.int(*self);
    }
}

impl Arg for u64 {
    #[inline]
    fn write(&self, args: &mut Args) {
        // A number that does not fit is past 2^53 too, and is refused for that.
        args.int(i64::try_from(*self).unwrap_or(i64::MAX));
    }
}

impl Arg for u32 {
    #[inline]
    fn write(&self, args: &mut Args) {
        args.int(i64::from(*self));
    }
}

impl Arg for bool {
    #[inline]
    fn write(&self, args: &mut Args) {
        args.int(i64::from(*self));
    }
}

impl Arg for Ttl {
    #[inline]
    fn write(&self, args: &mut Args) {
        self.as_millis().write(args);
    }
}

impl Arg for Timestamp {
    #[inline]
    fn write(&self, args: &mut Args) {
        args.int(self.as_micros());
    }
}

impl Arg for str {
    fn write(&self, args: &mut Args) {
        args.text(self);
    }
}

impl Arg for String {
    fn write(&self, args: &mut Args) {
        args.text(self);
    }
}

impl Arg for [u8] {
    fn write(&self, args: &mut Args) {
        args.bytes(self);
    }
}

impl Arg for Bytes {
    fn write(&self, args: &mut Args) {
        args.bytes(self);
    }
}

impl<const N: usize> Arg for [u8; N] {
    fn write(&self, args: &mut Args) {
        args.bytes(self);
    }
}

impl<T: Arg> Arg for Option<T> {
    fn write(&self, args: &mut Args) {
        match self {
            Some(value) => value.write(args),
            None => args.text(""),
        }
    }
}

impl<T: Arg> Arg for Vec<T> {
    fn write(&self, args: &mut Args) {
        for item in self {
            item.write(args);
        }
    }
}

impl<A: Arg, B: Arg> Arg for (A, B) {
    fn write(&self, args: &mut Args) {
        self.0.write(args);
        self.1.write(args);
    }
}

impl<T: Arg + ?Sized> Arg for &T {
    fn write(&self, args: &mut Args) {
        (**self).write(args);
    }
}

impl<T: Arg + ?Sized> Arg for Arc<T> {
    fn write(&self, args: &mut Args) {
        (**self).write(args);
    }
}

impl<T: Arg + ?Sized> Arg for Box<T> {
    fn write(&self, args: &mut Args) {
        (**self).write(args);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_sent_in_the_units_of_the_prelude() {
        let mut args = Args::new();
        let names: Arc<str> = "ada".into();
        (true, Ttl::from_secs(2)).write(&mut args);
        Timestamp::from_micros(7).write(&mut args);
        (None::<i64>, vec![(names, 3_u32)]).write(&mut args);
        Bytes::from_static(b"\0").write(&mut args);
        let sent: Vec<_> = args.iter().map(<[u8]>::to_vec).collect();
        let expected: [&[u8]; 7] = [b"1", b"2000", b"7", b"", b"ada", b"3", b"\0"];
        assert_eq!(sent, expected);
        assert!(args.check().is_ok());
    }

    #[test]
    fn a_number_that_lua_cannot_count_is_refused() {
        let mut args = Args::new();
        u64::MAX.write(&mut args);
        assert!(args.check().is_err());
    }
}
