//! The part of RESP2 that tests need.

use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};

/// A reply of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// A status, such as `OK`.
    Simple(String),
    /// An error, with its code in front, such as `WRONGTYPE Operation against a key …`.
    Error(String),
    /// An integer.
    Int(i64),
    /// A string of bytes.
    Bulk(Vec<u8>),
    /// No value: a missing string or a missing array.
    Nil,
    /// Several replies in order.
    Array(Vec<Reply>),
}

impl Reply {
    /// Returns the text of a status, an error or a string.
    ///
    /// Invalid UTF-8 is replaced.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Simple(text) | Self::Error(text) => Some(Cow::Borrowed(text)),
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes)),
            Self::Int(_) | Self::Nil | Self::Array(_) => None,
        }
    }

    /// Returns the number of an integer reply.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the items of an array reply.
    pub fn array(&self) -> Option<&[Reply]> {
        match self {
            Self::Array(replies) => Some(replies),
            _ => None,
        }
    }

    /// Returns the text of an error reply.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }
}

/// Limits the bytes that are read, so that garbage cannot exhaust memory.
const LONGEST_LINE: u64 = 64 * 1024;
const LARGEST_BULK: usize = 64 * 1024 * 1024;
const LONGEST_ARRAY: usize = 1_000_000;
const DEEPEST: usize = 8;

/// Encodes a command as an array of strings.
pub(super) fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Reads exactly one reply.
pub(super) fn read(from: &mut impl BufRead) -> io::Result<Reply> {
    read_nested(from, DEEPEST)
}

fn read_nested(from: &mut impl BufRead, depth: usize) -> io::Result<Reply> {
    let line = read_line(from)?;
    let Some(kind) = line.chars().next() else {
        return Err(malformed("an empty line"));
    };
    // The first character may be garbage, of several bytes.
    let rest = &line[kind.len_utf8()..];
    match kind {
        '+' => Ok(Reply::Simple(rest.to_owned())),
        '-' => Ok(Reply::Error(rest.to_owned())),
        ':' => rest
            .parse()
            .map(Reply::Int)
            .map_err(|_| malformed("an integer")),
        '$' => match read_length(rest, LARGEST_BULK)? {
            Some(length) => read_bulk(from, length).map(Reply::Bulk),
            None => Ok(Reply::Nil),
        },
        '*' if depth == 0 => Err(malformed("a nesting")),
        '*' => match read_length(rest, LONGEST_ARRAY)? {
            Some(length) => (0..length)
                .map(|_| read_nested(from, depth - 1))
                .collect::<io::Result<_>>()
                .map(Reply::Array),
            None => Ok(Reply::Nil),
        },
        _ => Err(malformed("a kind of reply")),
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None if line.len() as u64 == LONGEST_LINE => Err(malformed("a line")),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn read_length(text: &str, most: usize) -> io::Result<Option<usize>> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(length) => match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            _ => Err(malformed("a length")),
        },
        Err(_) => Err(malformed("a length")),
    }
}

fn read_bulk(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    let mut end = [0; 2];
    from.read_exact(&mut end)?;
    if end == *b"\r\n" {
        Ok(bytes)
    } else {
        Err(malformed("the end of a string"))
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{what} that is not RESP2"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reply_is_read_and_no_byte_more() {
        let wire = b"*6\r\n+OK\r\n-ERR no\r\n:-7\r\n$4\r\na\r\nb\r\n$-1\r\n*0\r\n+next\r\n";
        let mut wire = &wire[..];
        let expected = Reply::Array(vec![
            Reply::Simple("OK".into()),
            Reply::Error("ERR no".into()),
            Reply::Int(-7),
            Reply::Bulk(b"a\r\nb".to_vec()),
            Reply::Nil,
            Reply::Array(Vec::new()),
        ]);
        assert_eq!(read(&mut wire).unwrap(), expected);
        assert_eq!(wire, b"+next\r\n");
    }

    #[test]
    fn garbage_and_cut_replies_are_errors() {
        for wire in [
            "",
            "\r\n",
            "?\r\n",
            "é\r\n",
            ":x\r\n",
            "$-2\r\n",
            "$9999999999\r\n",
            "*2\r\n+a\r\n",
        ] {
            assert!(read(&mut wire.as_bytes()).is_err(), "{wire:?} was read");
        }
        assert!(
            read(&mut "$3\r\nabcde".as_bytes()).is_err(),
            "a string without its end was read"
        );
        assert!(
            read(&mut "*1\r\n".repeat(100).as_bytes()).is_err(),
            "a deep nesting was read"
        );
    }

    #[test]
    fn a_command_is_an_array_of_strings() {
        assert_eq!(
            encode(&["GET", "é"]),
            "*2\r\n$3\r\nGET\r\n$2\r\né\r\n".as_bytes()
        );
    }
}
