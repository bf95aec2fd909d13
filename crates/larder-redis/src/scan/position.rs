use larder_store::scan::Cursor;
use larder_store::{Error, ErrorKind, Result};

/// The position of a scan: its servers, and the current server's cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScanPosition {
    /// The fingerprint of the servers: a cursor of one set of servers is useless for another.
    pub(super) servers: u64,
    pub(super) server: usize,
    pub(super) at: u64,
}

impl ScanPosition {
    pub(super) fn first(servers: u64) -> Self {
        Self {
            servers,
            server: 0,
            at: 0,
        }
    }

    /// Parses a cursor.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    pub(super) fn read(cursor: &Cursor, servers: u64) -> Result<Self> {
        let position = Self::parse(cursor.as_str());
        let position =
            position.ok_or_else(|| invalid("the cursor does not belong to this store"))?;
        if position.servers != servers {
            return Err(invalid(MOVED));
        }
        Ok(position)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let position = Self {
            servers: u64::from_str_radix(parts.next()?, 16).ok()?,
            server: parts.next()?.parse().ok()?,
            at: parts.next()?.parse().ok()?,
        };
        // Only the form that this file writes: no sign, no leading zeros.
        (position.to_cursor().as_str() == text).then_some(position)
    }

    pub(super) fn to_cursor(self) -> Cursor {
        Cursor::new(format!("{:x}-{}-{}", self.servers, self.server, self.at))
    }
}

pub(super) const MOVED: &str = "a server was restarted or replaced, or a slot moved, since the scan \
                                began: start the scan again";

pub(super) fn invalid(text: &'static str) -> Error {
    Error::new("scan", ErrorKind::Invalid, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_written_positions_are_read_back() {
        for (servers, server, at) in [(0, 0, 0), (7, 2, u64::MAX), (u64::MAX, 9, 1)] {
            let position = ScanPosition {
                servers,
                server,
                at,
            };
            assert_eq!(
                ScanPosition::read(&position.to_cursor(), servers).unwrap(),
                position
            );
            let error = ScanPosition::read(&position.to_cursor(), servers ^ 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        for text in [
            "", "-", "0-0", "0-0-0-0", "0-0-+1", "0-00-0", "x-0-0", "0-0-0 ",
        ] {
            assert!(ScanPosition::read(&Cursor::new(text), 0).is_err(), "{text}");
        }
    }
}
