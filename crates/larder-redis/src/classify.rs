//! Classifies errors of the server and of the connection for callers.
//!
//! The texts are made here. The client library's text may contain a value, and the server's text a
//! key, so only codes that this file knows are passed on.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use ::redis::{RedisError, ServerError};
use larder_store::{Error, ErrorKind, Refusal};

/// The codes that have a meaning for a caller, each with its refusal and a text.
const CODES: &[(&str, Refusal, &str)] = &[
    (
        "OOM",
        Refusal::Full,
        "the server is at its maxmemory: raise it, or store less",
    ),
    ("READONLY", Refusal::ReadOnly, "the server is a replica"),
    (
        "MISCONF",
        Refusal::ReadOnly,
        "the server cannot save to disk and refuses writes",
    ),
    (
        "WRONGTYPE",
        Refusal::WrongType,
        "the key holds another type of value",
    ),
    (
        "NOAUTH",
        Refusal::Denied,
        "the server asks for a password: put the user and the password into the URL",
    ),
    (
        "WRONGPASS",
        Refusal::Denied,
        "the user or the password is wrong: correct them in the URL",
    ),
    (
        "NOPERM",
        Refusal::Denied,
        "the user may not run this command, or not on this key: grant it with ACL SETUSER",
    ),
    (
        "DENIED",
        Refusal::Denied,
        "the server is in protected mode: set a password there",
    ),
    (
        "LOADING",
        Refusal::Unavailable,
        "the server is loading its data",
    ),
    (
        "BUSY",
        Refusal::Unavailable,
        "the server is busy with a script",
    ),
    (
        "NOREPLICAS",
        Refusal::Unavailable,
        "the server has too few replicas to accept writes",
    ),
    (
        "MASTERDOWN",
        Refusal::Unavailable,
        "the server is a replica that lost its master",
    ),
    ("CLUSTERDOWN", Refusal::Unavailable, "the cluster is down"),
    (
        "TRYAGAIN",
        Refusal::Unavailable,
        "the cluster is moving these keys",
    ),
    (
        "MOVED",
        Refusal::Unavailable,
        "the key is on another node of a cluster",
    ),
    (
        "ASK",
        Refusal::Unavailable,
        "the key is moving to another node of a cluster",
    ),
    (
        "NOSCRIPT",
        Refusal::Unavailable,
        "the server forgot a script that was just sent to it",
    ),
];

/// The text that older servers send instead of `NOPERM` from a script.
const NOPERM_OF_SCRIPTS: &str = "The user executing the script can't";

fn code(error: &ServerError) -> &str {
    let details = error.details().unwrap_or_default();
    match error.code() {
        "ERR" if details.starts_with(NOPERM_OF_SCRIPTS) => "NOPERM",
        code => code,
    }
}

/// Returns the error of a script that was stopped at a forbidden command, if it is one.
///
/// Scripts check before they write, but cannot check for this: earlier writes stay.
pub(crate) fn denied_midway(operation: &'static str, error: &ServerError) -> Option<Error> {
    let details = error.details().unwrap_or_default();
    let is_midway = code(error) == "NOPERM" && details.contains("user_script:");
    is_midway.then(|| {
        Error::new(
            operation,
            ErrorKind::MayHaveRun,
            "the user may not run one of the commands of the script (NOPERM), which may already \
             have written: grant all of its commands",
        )
    })
}

/// Makes the error of a plain command that the server refused: it did nothing.
pub(crate) fn refused(operation: &'static str, error: &ServerError) -> Error {
    known(operation, error).unwrap_or_else(|| {
        Error::new(
            operation,
            ErrorKind::Refused(Refusal::Unavailable),
            "the server answered with an error that larder does not know",
        )
    })
}

/// Makes the error of a code which means that nothing ran, if it is one.
pub(crate) fn known(operation: &'static str, error: &ServerError) -> Option<Error> {
    let found = code(error);
    let (code, refusal, what) = CODES.iter().find(|(code, ..)| *code == found)?;
    Some(Error::new(
        operation,
        ErrorKind::Refused(*refusal),
        format!("{what} ({code})"),
    ))
}

/// Makes the error of an unexpected answer.
pub(crate) fn unexpected(operation: &'static str) -> Error {
    Error::new(
        operation,
        ErrorKind::MayHaveRun,
        "the answer does not follow the Redis protocol: a proxy may have changed it",
    )
}

/// Returns the error of the operating system that is inside an error of the client library.
///
/// It contains no key and no value, unlike the error around it.
pub(crate) fn system(error: &RedisError) -> Option<io::Error> {
    let source = error.source()?;
    let shared = source.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?;
    let system = shared.downcast_ref::<io::Error>()?;
    Some(match system.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(system.kind(), system.to_string()),
    })
}

/// Copies an error, without its source.
pub(crate) fn copy_error(error: &Error) -> Error {
    let text = error.to_string();
    let prefix = format!("{}: {}: ", error.operation(), error.kind());
    let detail = text.strip_prefix(&prefix).unwrap_or_default().to_owned();
    Error::new(error.operation(), error.kind(), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> ServerError {
        match ::redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(::redis::Value::ServerError(error)) => error,
            other => panic!("no error: {other:?}"),
        }
    }

    #[test]
    fn each_code_has_its_kind() {
        for (line, refusal) in [
            ("OOM command not allowed", Refusal::Full),
            ("READONLY You can't write", Refusal::ReadOnly),
            ("MISCONF Errors writing", Refusal::ReadOnly),
            ("WRONGTYPE Operation against", Refusal::WrongType),
            ("NOAUTH Authentication required.", Refusal::Denied),
            ("NOPERM this user has no", Refusal::Denied),
            ("LOADING Redis is loading", Refusal::Unavailable),
            ("BUSY Redis is busy", Refusal::Unavailable),
            ("MASTERDOWN Link with MASTER", Refusal::Unavailable),
            ("CLUSTERDOWN The cluster", Refusal::Unavailable),
            ("TRYAGAIN Multiple keys", Refusal::Unavailable),
            ("NOREPLICAS Not enough", Refusal::Unavailable),
            ("ERR something", Refusal::Unavailable),
        ] {
            let error = refused("get", &answer(line));
            assert_eq!(error.kind(), ErrorKind::Refused(refusal), "{line}");
        }
    }

    #[test]
    fn a_script_that_is_stopped_at_a_forbidden_command_may_have_written() {
        let midway = "script: 5407b6, on @user_script:3.";
        for line in [
            format!("NOPERM ACL failure in script: User app has no permissions {midway}"),
            format!("ERR The user executing the script can't run this command {midway}"),
        ] {
            let error = denied_midway("run", &answer(&line)).unwrap();
            assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{line}");
            let error = refused("put", &answer(&line));
            assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied), "{line}");
        }
        for line in [
            "NOPERM this user has no permissions to run the 'evalsha' command".to_owned(),
            format!("WRONGTYPE Operation against a key {midway}"),
        ] {
            assert!(denied_midway("run", &answer(&line)).is_none(), "{line}");
        }
    }

    #[test]
    fn the_text_of_the_server_is_not_passed_on() {
        for line in ["ERR no such key hunter2", "hunter2 hunter2", "OOM hunter2"] {
            let error = refused("get", &answer(line));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn the_error_of_the_system_is_found() {
        let error = RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        let found = system(&error).map(|error| error.kind());
        assert_eq!(found, Some(io::ErrorKind::ConnectionRefused));
    }
}
