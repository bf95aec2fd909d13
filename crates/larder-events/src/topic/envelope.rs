//! A message on the bus: its position or a hyphen, a space, and the event as JSON.

use bytes::{BufMut, Bytes, BytesMut};

use super::Position;
use super::position::MAX_TEXT;

pub(super) fn write(position: Option<Position>, json: &[u8]) -> Bytes {
    let mut payload = BytesMut::with_capacity(MAX_TEXT + 1 + json.len());
    match position {
        Some(position) => payload.put_slice(position.to_string().as_bytes()),
        None => payload.put_u8(b'-'),
    }
    payload.put_u8(b' ');
    payload.put_slice(json);
    payload.freeze()
}

/// Reads a message. None for bytes that no topic wrote.
pub(super) fn read(payload: &Bytes) -> Option<(Option<Position>, Bytes)> {
    let mut begin = payload.iter().take(MAX_TEXT + 1);
    let space = begin.position(|byte| *byte == b' ')?;
    let position = match &payload[..space] {
        b"-" => None,
        text => Some(std::str::from_utf8(text).ok()?.parse().ok()?),
    };
    Some((position, payload.slice(space + 1..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        let json = Bytes::from_static(b"{\"a b\":1}");
        for position in [
            None,
            Some(Position {
                epoch: 7,
                offset: 8,
            }),
        ] {
            assert_eq!(
                read(&write(position, &json)),
                Some((position, json.clone()))
            );
        }
    }

    #[test]
    fn bytes_of_another_form_are_no_message() {
        for bytes in [
            "",
            " ",
            "1",
            "1-",
            "x {}",
            "1-1{}",
            "1 {}",
            "\u{e9} {}",
            "00000000000000000000000000000000000000 {}",
        ] {
            assert_eq!(read(&Bytes::from_static(bytes.as_bytes())), None, "{bytes}");
        }
    }
}
