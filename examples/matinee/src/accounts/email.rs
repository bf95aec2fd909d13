/// The address that an account is found by: trimmed and in lower case, so that each has one form.
///
/// Nothing else is checked: no account has an address that is not one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    /// The longest address of SMTP (RFC 5321, section 4.5.3.1.3, without the brackets).
    pub(crate) const LONGEST: usize = 254;

    pub(crate) fn new(typed: &str) -> Self {
        Self(typed.trim().to_lowercase())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
