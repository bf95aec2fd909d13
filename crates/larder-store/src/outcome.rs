//! The outcomes of operations that may change nothing.
//!
//! Each is an enum of two variants, named after its operation, that must be used. To ignore one on
//! purpose, bind it: `let _ = store.put(&put).await?`.

/// The outcome of a [`put`](crate::Store::put) or a [`commit`](crate::lease::Leases::commit).
#[must_use = "a conditional write may store nothing"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The value is stored.
    Stored,
    /// Nothing changed: the condition was not met, or the lease had ended.
    NotStored,
}

/// The outcome of a [`delete`](crate::Store::delete) or an
/// [`invalidate`](crate::lease::Leases::invalidate).
#[must_use = "there may be no value to delete"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// A value was there, and is gone.
    Deleted,
    /// No value was deleted: there was none, or the condition was not met.
    NotDeleted,
}

/// The outcome of an [`expire`](crate::Store::expire).
#[must_use = "there may be no key to expire"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireOutcome {
    /// The key has the new TTL.
    TtlSet,
    /// The key is absent.
    NotFound,
}

/// The outcome of a [`renew`](crate::lease::Leases::renew) or an
/// [`abandon`](crate::lease::Leases::abandon).
#[must_use = "the lease may have ended"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The fence still held the lease.
    Held,
    /// Nothing changed: the lease had ended, or another fence holds it.
    NotHeld,
}

/// The outcome of a [`follow`](crate::lease::Leases::follow).
#[must_use = "the lease may still be held"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowOutcome {
    /// The lease has ended, or nobody held it.
    Ended,
    /// The same lease is still held after the whole wait.
    StillHeld,
}

/// Adds a conversion from `bool` for backends, and a predicate for callers.
macro_rules! two_outcomes {
    ($($outcome:ident: $is_yes:ident, $yes:ident or $no:ident;)*) => {$(
        impl $outcome {
            #[doc = concat!("Returns whether it is [`", stringify!($yes), "`](Self::", stringify!($yes), ").")]
            #[must_use]
            pub const fn $is_yes(self) -> bool {
                matches!(self, Self::$yes)
            }
        }

        impl From<bool> for $outcome {
            #[doc = concat!(
                "Converts `true` to `", stringify!($yes), "` and `false` to `", stringify!($no), "`, for backends."
            )]
            fn from(yes: bool) -> Self {
                if yes { Self::$yes } else { Self::$no }
            }
        }
    )*};
}

two_outcomes! {
    PutOutcome: is_stored, Stored or NotStored;
    DeleteOutcome: is_deleted, Deleted or NotDeleted;
    ExpireOutcome: is_set, TtlSet or NotFound;
    LeaseOutcome: is_held, Held or NotHeld;
    FollowOutcome: is_ended, Ended or StillHeld;
}
