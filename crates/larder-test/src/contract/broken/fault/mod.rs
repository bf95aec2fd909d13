//! The faults of broken stores, by the part of the contract that they break.

#[macro_use]
mod bus;
#[macro_use]
mod leases;
#[macro_use]
mod programs;
#[macro_use]
mod scans;
#[macro_use]
mod values;
#[macro_use]
mod waits;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// One way in which a store breaks the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Fault {
            /// All faults.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

values_faults! {}
