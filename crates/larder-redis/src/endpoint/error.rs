use larder_store::{Error, ErrorKind};

/// Makes the error of an invalid URL.
pub(super) fn invalid(what: &str, expected: &str) -> Error {
    Error::new(
        "connect",
        ErrorKind::Invalid,
        format!("the store URL {what}: {expected}"),
    )
}
