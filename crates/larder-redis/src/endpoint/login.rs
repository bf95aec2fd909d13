use ::redis::{ProtocolVersion, RedisConnectionInfo};
use larder_store::Result;
use percent_encoding::percent_decode_str;

use super::error::invalid;

/// The user and the password that a URL names.
///
/// The client library sends a user only together with a password, so a user without one would log
/// in as the default user: that is refused. An empty password is allowed, since a user may need
/// none.
#[derive(Default)]
pub(super) struct Login {
    user: Option<String>,
    password: Option<String>,
}

impl Login {
    /// Parses the login before the `@` of a URL.
    pub(super) fn before_the_hosts(text: &str, expected: &str) -> Result<Self> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (text, None),
        };
        let decode = |text| decode(text, expected);
        let login = Self::new(Some(decode(user)?), password.map(decode).transpose()?);
        login.ok_or_else(|| {
            invalid(
                "names a user but no password: write user:password@, or user:@ for a user who \
                 needs none, or :password@ for the default user",
                expected,
            )
        })
    }

    /// Reads two parameters of a URL, which are called `names`.
    pub(super) fn in_parameters(
        user: Option<String>,
        password: Option<String>,
        names: [&str; 2],
        expected: &str,
    ) -> Result<Self> {
        let [user_name, password_name] = names;
        Self::new(user, password).ok_or_else(|| {
            invalid(
                &format!(
                    "has {user_name} but no {password_name}: add {password_name}=…, or \
                     {password_name}= for a user who needs none"
                ),
                expected,
            )
        })
    }

    /// Makes a login. None if there is a user without a password; an empty user is treated as
    /// absent.
    fn new(user: Option<String>, password: Option<String>) -> Option<Self> {
        let user = user.filter(|user| !user.is_empty());
        (user.is_none() || password.is_some()).then_some(Self { user, password })
    }

    /// Returns the login of a connection.
    pub(super) fn settings(&self, protocol: ProtocolVersion) -> RedisConnectionInfo {
        // CLIENT SETINFO is an error before 7.2, and a user with few rights would need one more.
        let mut settings = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_protocol(protocol);
        let user = match (&self.user, &self.password) {
            // RESP2 refuses a password without a user if the server needs none.
            (None, Some(password)) if password.is_empty() => Some("default"),
            (user, _) => user.as_deref(),
        };
        if let Some(user) = user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        settings
    }
}

/// Decodes percent signs. All other characters are literal, including a plus.
pub(super) fn decode(text: &str, expected: &str) -> Result<String> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(invalid(
            "has a '%' that is not followed by two hexadecimal digits: a '%' itself is %25",
            expected,
        ));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid(
            "has percent-encoded bytes that are not UTF-8",
            expected,
        )),
    }
}
