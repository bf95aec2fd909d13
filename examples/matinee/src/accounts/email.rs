/// The email address of an account: trimmed and in lower case, so that each address has one form.
///
/// A lookup needs no other check: no account has a malformed address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    /// The longest address in SMTP (RFC 5321, section 4.5.3.1.3, without the brackets).
    pub(crate) const LONGEST: usize = 254;

    pub(crate) fn new(typed: &str) -> Self {
        Self(typed.trim().to_lowercase())
    }

    /// Parses the address of a new or changed account. Returns `None` if it is malformed.
    pub(crate) fn of_an_account(typed: &str) -> Option<Self> {
        let email = Self::new(typed);
        let (name, host) = email.0.split_once('@')?;
        let is_plain = |text: &str| {
            !text.is_empty()
                && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
        };
        let fits = email.0.len() <= Self::LONGEST && is_plain(name) && is_plain(host);
        fits.then_some(email)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
