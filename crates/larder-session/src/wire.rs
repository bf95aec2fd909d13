//! Parses the replies of the scripts.

use larder_store::Result;
use larder_store::program::Wire;

use crate::session_record::Epoch;

/// Reads the text of a reply.
pub(crate) fn text(wire: Wire) -> Result<String> {
    String::from_utf8(wire.bytes()?.into()).map_err(|_| Wire::unexpected("text in UTF-8"))
}

pub(crate) fn epoch(bytes: &[u8]) -> Result<Epoch> {
    bytes.try_into().map_err(|_| Wire::unexpected("an epoch"))
}

/// Reads a reply that may be nil. None if it is.
pub(crate) fn optional<T>(wire: Wire, read: impl FnOnce(Wire) -> Result<T>) -> Result<Option<T>> {
    match wire {
        Wire::Nil => Ok(None),
        wire => read(wire).map(Some),
    }
}
