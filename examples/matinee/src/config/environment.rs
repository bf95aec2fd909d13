use super::Config;

/// The one environment in which comfort goes first. Every other name is taken for production.
const DEVELOPMENT: &str = "development";

/// What visitors' browsers speak to the house, through whatever proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Cookies are `Secure`.
    Https,
    /// Cookies are not: browsers would not keep them.
    PlainHttp,
}

/// Whether the accounts whose passwords everybody knows are accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DemoAccounts {
    Open,
    Closed,
}

impl Config {
    pub(crate) fn is_development(&self) -> bool {
        self.environment == DEVELOPMENT
    }

    /// Plain HTTP in development, unless a proxy with TLS is declared; HTTPS everywhere else.
    pub(crate) fn transport(&self) -> Transport {
        if self.is_development() {
            Transport::PlainHttp
        } else {
            Transport::Https
        }
    }

    pub(crate) fn demo_accounts(&self) -> DemoAccounts {
        if self.is_development() {
            DemoAccounts::Open
        } else {
            DemoAccounts::Closed
        }
    }
}
