//! Limits how many wrong passwords may be tried.
//!
//! Three limits are charged in one call, either all of them or none:
//!
//! | what is limited | what it stops |
//! |---|---|
//! | an address on one account | guessing; the owner of the account can still sign in from elsewhere |
//! | an account, from all addresses together | guessing from many addresses |
//! | an address, on all accounts together | trying lists of stolen passwords |
//!
//! The last two allow four times as much as the first: by default at most 100 wrong passwords in any hour.
//! An address that keeps trying after refusals is banned for a while. An account is never banned for all
//! addresses, because then anybody could lock its owner out.
//!
//! An attempt is charged before its password is checked, so that concurrent attempts cannot check more passwords
//! than the limits allow. The charge is refunded unless the password was wrong. Once a limit is used up, the
//! right password is refused too, unchecked: otherwise the answers would tell it apart from the wrong ones.
//! While the store fails, nobody can sign in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::http::StatusCode;
use larder::Store;
use larder::rate_limit::{
    Ban, ClientAddress, Decisions, Gcra, Limits, Network, Policy, Quota, RateLimiter, Reason,
    Report,
};
use tokio::{join, try_join};

use super::{Accounts, Email};
use crate::config::Config;
use crate::errors::Problem;
use crate::limits;
use crate::pages::text;

/// By this factor, the limits of an account from all addresses and of an address on all accounts are larger
/// than that of an address on one account.
const WIDER: u32 = 4;
/// An address is banned after this many refusals within an hour.
const REFUSALS: u32 = 10;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The limits on wrong passwords.
#[derive(Clone)]
pub(crate) struct Attempts {
    by_both: RateLimiter,
    by_account: RateLimiter,
    by_address: RateLimiter,
    address: ClientAddress,
}

/// Who tries to sign in, and from where.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) email: &'a Email,
    pub(crate) from: IpAddr,
}

/// The outcome of charging an attempt.
pub(super) enum Charge {
    Made(Decisions),
    Refused(Refusal),
}

/// How long an attempt has to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    wait: Duration,
    ban: Option<Banned>,
}

/// What is banned.
#[derive(Clone, Copy, Debug)]
enum Banned {
    FromOneAccount,
    FromAll,
}

/// What the limits say about an account at this moment, for the support desk.
pub(crate) struct Standing {
    pub(crate) account: Report,
    /// The limits of an address on this account, and on all accounts, if an address was given.
    pub(crate) address: Option<[Report; 2]>,
}

/// What the support desk can do for a visitor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Help {
    /// Ends a ban.
    Forgive,
    /// Ends a ban, and clears the count of wrong passwords.
    Reset,
}

impl Attempts {
    pub(super) fn new(config: &Config, store: &Arc<dyn Store>) -> larder::Result<Self> {
        let (quota, wider) = (config.sign_in_limit, wider(config.sign_in_limit));
        let ban = Ban::after(REFUSALS, HOUR, config.sign_in_ban.into());
        let limiter = |name, policy: Policy| RateLimiter::new(store.clone(), name, policy);
        Ok(Self {
            by_both: limiter("sign-in-both", Policy::new(quota).with_ban(ban))?,
            by_account: limiter("sign-in-account", wider.into())?,
            by_address: limiter("sign-in-address", Policy::new(wider).with_ban(ban))?,
            address: limits::address(config),
        })
    }

    /// Charges an attempt to all limits, or to none. The answer is the same if the account does not exist.
    pub(super) async fn charge(&self, attempt: Attempt<'_>) -> Result<Charge, Problem> {
        let Attempt { email, from } = attempt;
        let limits = Limits::new()
            .with(&self.by_both, (Network::of(from), email.as_str()))
            .with(&self.by_account, email.as_str())
            .with(&self.by_address, Network::of(from));
        let decisions = limits.check().await.map_err(|error| {
            tracing::warn!(%error, "a sign-in attempt cannot be counted");
            Problem::of(StatusCode::SERVICE_UNAVAILABLE)
        })?;
        let Some((policy, decision)) = decisions.refused() else {
            return Ok(Charge::Made(decisions));
        };
        let banned = match policy == self.by_address.policy() {
            true => Banned::FromAll,
            false => Banned::FromOneAccount,
        };
        Ok(Charge::Refused(Refusal {
            wait: decision.retry_after(),
            ban: (decision.reason() == Some(Reason::Ban)).then_some(banned),
        }))
    }

    /// Refunds an attempt that was not a wrong password, in one round trip.
    pub(super) async fn give_back(&self, attempt: Attempt<'_>, charged: &Decisions) {
        let Attempt { email, from } = attempt;
        let mut charged = charged.each().map(|(_, decision)| decision);
        let (Some(both), Some(account), Some(address)) =
            (charged.next(), charged.next(), charged.next())
        else {
            return;
        };
        let network = Network::of(from);
        // Each refund is tried, even if another one fails.
        let (both, account, address) = join!(
            self.by_both.refund((network, email.as_str()), both),
            self.by_account.refund(email.as_str(), account),
            self.by_address.refund(network, address),
        );
        if let Err(error) = both.and(account).and(address) {
            // The limit recovers by itself with its next intervals.
            tracing::warn!(%error, "a sign-in attempt was not refunded");
        }
    }

    /// Returns what the limits would answer to an attempt now. It charges nothing.
    pub(crate) async fn standing(
        &self,
        email: &Email,
        from: Option<IpAddr>,
    ) -> larder::Result<Standing> {
        let account = self.by_account.inspect(email.as_str());
        let Some(network) = from.map(Network::of) else {
            let account = account.await?;
            return Ok(Standing {
                account,
                address: None,
            });
        };
        let both = self.by_both.inspect((network, email.as_str()));
        let (account, both, address) = try_join!(account, both, self.by_address.inspect(network))?;
        Ok(Standing {
            account,
            address: Some([both, address]),
        })
    }

    /// Allows attempts on an account again: from everywhere, and from an address that had to wait.
    pub(crate) async fn help(
        &self,
        email: &Email,
        from: Option<IpAddr>,
        help: Help,
    ) -> larder::Result<()> {
        if let Help::Reset = help {
            self.by_account.reset(email.as_str()).await?;
        }
        let Some(network) = from.map(Network::of) else {
            return Ok(());
        };
        let both = (network, email.as_str());
        match help {
            Help::Forgive => {
                try_join!(self.by_both.forgive(both), self.by_address.forgive(network))
            }
            Help::Reset => try_join!(self.by_both.reset(both), self.by_address.reset(network)),
        }
        .map(drop)
    }
}

impl Refusal {
    /// The value of `Retry-After`: the text must not name an earlier time.
    pub(super) fn wait_seconds(self) -> u64 {
        self.wait.as_secs() + 1
    }

    pub(super) fn is_ban(self) -> bool {
        self.ban.is_some()
    }

    /// Explains the refusal to the visitor, with the address that the support desk will ask for.
    pub(super) fn words(self, from: IpAddr, now_ms: i64) -> String {
        let when = in_words(self.wait_seconds());
        let whom = match self.ban {
            None => {
                return format!(
                    "Too many attempts to sign in have failed. To keep accounts safe, further attempts are refused \
                     for now, even with the right password. Please try again {when}."
                );
            }
            Some(Banned::FromOneAccount) => "to this account",
            Some(Banned::FromAll) => "to any account",
        };
        let ends = now_ms.saturating_add_unsigned(self.wait_seconds() * 1_000 + 59_999);
        format!(
            "Too many attempts to sign in have failed, so nobody can sign in {whom} from here until {} UTC. Please \
             try again {when}, or write to the box office and name your address, {}.",
            text::time(ends),
            from.to_canonical(),
        )
    }
}

/// The handlers of this feature read the addresses of their clients.
impl FromRef<Accounts> for ClientAddress {
    fn from_ref(accounts: &Accounts) -> Self {
        accounts.attempts.address.clone()
    }
}

/// Multiplies the quota by four. A quota that is too large for that stays as it is.
fn wider(quota: Quota) -> Quota {
    let wider = Quota::new(quota.limit().saturating_mul(WIDER), quota.period())
        .with_burst(quota.burst().saturating_mul(WIDER));
    match Gcra::new(wider, 1) {
        Ok(_) => wider,
        Err(_) => quota,
    }
}

/// `in 40 seconds`, `in 3 minutes`: rounded up, so that a retry at that time is accepted.
pub(crate) fn in_words(seconds: u64) -> String {
    match seconds {
        0..=1 => "in a second".to_owned(),
        2..=90 => format!("in {seconds} seconds"),
        91..=5_400 => format!("in {} minutes", seconds.div_ceil(60)),
        _ => format!("in {} hours", seconds.div_ceil(3_600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words_and_never_too_short() {
        for (seconds, words) in [
            (0, "in a second"),
            (45, "in 45 seconds"),
            (91, "in 2 minutes"),
            (180, "in 3 minutes"),
            (181, "in 4 minutes"),
            (7_201, "in 3 hours"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn a_ban_is_told_with_its_end_rounded_up_to_a_minute() {
        let refusal = |wait, ban| Refusal {
            wait: Duration::from_secs(wait),
            ban: Some(ban),
        };
        let from = "::ffff:203.0.113.7".parse().unwrap();
        let told = refusal(59 * 60, Banned::FromAll).words(from, 30_000);
        assert!(
            told.contains("to any account from here until 01:00 UTC"),
            "{told}"
        );
        assert!(told.contains("in 60 minutes") && told.ends_with("your address, 203.0.113.7."));
        let told = refusal(30, Banned::FromOneAccount).words(from, 0);
        assert!(
            told.contains("to this account from here until 00:01 UTC"),
            "{told}"
        );
    }

    #[test]
    fn a_limit_is_four_times_as_wide_where_that_can_be_counted() {
        let quota = Quota::per_hour(20).with_burst(5);
        assert_eq!(wider(quota), Quota::per_hour(80).with_burst(20));
        let most = Quota::per_second(1_000_000);
        assert_eq!(wider(most), most);
    }
}
