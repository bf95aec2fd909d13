//! The table of all laws, by the capability that they need.

mod bus;
mod core;
mod leases;
mod programs;
mod scans;

/// Tests a store: one test for each law, in a module.
///
/// The first argument is the name of the module. The second makes a [`Fixture`](crate::Fixture), once for
/// each law; it may `.await`. Each test has its own runtime. The laws of each capability are in a module
/// inside: `core_laws`, `program_laws`, `wait_laws`, `bus_laws`, `lease_laws`, `scan_laws`, and two more for
/// laws that need two capabilities.
///
/// ```
/// use larder_test::{ManualFixture, laws};
///
/// laws!(model, ManualFixture::model());
/// # fn main() {}
/// ```
///
/// If a store lacks capabilities, name them: `programs`, `waits`, `leases`, `bus`, `scan`. Their laws are
/// then left out, and a test such as `it_offers_no_leases` takes their place, which fails as soon as the
/// store offers the capability. Nothing else can be left out.
///
/// ```
/// use larder_test::{ManualFixture, laws};
/// # use std::sync::Arc;
/// # use larder_store::*;
/// # struct Plain(larder_test::ModelStore);
/// # #[async_trait::async_trait]
/// # impl Store for Plain {
/// #     async fn get(&self, key: &Key) -> Result<Option<Entry>> { self.0.get(key).await }
/// #     async fn put(&self, put: &Put) -> Result<PutOutcome> { self.0.put(put).await }
/// #     async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> { self.0.delete(delete).await }
/// #     async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> { self.0.expire(key, ttl).await }
/// #     async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> { self.0.ttl(key).await }
/// #     async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> { self.0.get_many(keys).await }
/// #     async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> { self.0.put_many(puts).await }
/// #     async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> { self.0.delete_many(deletes).await }
/// #     fn location(&self) -> &str { "plain://" }
/// # }
/// # fn plain() -> ManualFixture {
/// #     let clock = ManualClock::default();
/// #     ManualFixture::new(Plain(larder_test::ModelStore::with_clock(clock.clone())), clock)
/// # }
///
/// laws!(plain_values, plain(), without [programs, waits, leases, bus, scan]);
/// # fn main() {}
/// ```
// Both the list of laws and the tests are generated from this table, so they always agree.
#[macro_export]
macro_rules! laws {
    ($name:ident, $fixture:expr) => {
        $crate::laws! { $name, $fixture, without [] }
    };
    ($name:ident, $fixture:expr, without [$($without:ident),* $(,)?]) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $($crate::laws! { @absent $without, $fixture })*
            $crate::laws! { @table tests [[$($without)*], $fixture] }
        }
    };

    // The tests that a capability is absent.
    (@absent programs, $fixture:expr) => {
        /// The store offers no programs.
        #[test]
        fn it_offers_no_programs() {
            $crate::laws::prove_absent($crate::laws::Capability::Programs, async { $fixture });
        }
    };
    (@absent waits, $fixture:expr) => {
        /// The store offers no waits.
        #[test]
        fn it_offers_no_waits() {
            $crate::laws::prove_absent($crate::laws::Capability::Waits, async { $fixture });
        }
    };
    (@absent leases, $fixture:expr) => {
        /// The store offers no leases.
        #[test]
        fn it_offers_no_leases() {
            $crate::laws::prove_absent($crate::laws::Capability::Leases, async { $fixture });
        }
    };
    (@absent bus, $fixture:expr) => {
        /// The store offers no bus.
        #[test]
        fn it_offers_no_bus() {
            $crate::laws::prove_absent($crate::laws::Capability::Bus, async { $fixture });
        }
    };
    (@absent scan, $fixture:expr) => {
        /// The store offers no scan.
        #[test]
        fn it_offers_no_scan() {
            $crate::laws::prove_absent($crate::laws::Capability::Scan, async { $fixture });
        }
    };
    (@absent $other:ident, $fixture:expr) => {
        compile_error!(concat!(
            "expected programs, waits, leases, bus or scan in `without`, got '", stringify!($other), "'"
        ));
    };

    // The tests of all groups whose needs are met.
    (@tests [$without:tt, $fixture:expr] $($group:ident $needs:tt $modules:tt)+) => {
        $($crate::laws! { @group $needs $without, $fixture, $group $modules })+
    };
    (@group [] $without:tt, $fixture:expr, $group:ident {
        $($module:ident { $($(#[$doc:meta])+ $law:ident)+ })+
    }) => {
        mod $group {
            #[allow(unused_imports)]
            use super::*;

            $($(
                $(#[$doc])+
                #[test]
                fn $law() {
                    $crate::laws::prove(stringify!($law), async { $fixture });
                }
            )+)+
        }
    };
    (@group [$need:ident $($needs:ident)*] $without:tt, $($rest:tt)*) => {
        $crate::laws! { @unless $need $without [$($needs)*] $without, $($rest)* }
    };
    // Goes through the missing capabilities: a group that needs one of them has no tests.
    (@unless programs [programs $($more:ident)*] $($rest:tt)*) => {};
    (@unless waits [waits $($more:ident)*] $($rest:tt)*) => {};
    (@unless leases [leases $($more:ident)*] $($rest:tt)*) => {};
    (@unless bus [bus $($more:ident)*] $($rest:tt)*) => {};
    (@unless scan [scan $($more:ident)*] $($rest:tt)*) => {};
    (@unless $need:ident [$other:ident $($more:ident)*] $($rest:tt)*) => {
        $crate::laws! { @unless $need [$($more)*] $($rest)* }
    };
    (@unless $need:ident [] $($rest:tt)*) => { $crate::laws! { @group $($rest)* } };

    (@list [] $($group:ident $needs:tt {
        $($module:ident { $($(#[doc = $statement:literal])+ $law:ident)+ })+
    })+) => {
        /// All laws.
        pub const LAWS: &[Law] = &[$($($(
            Law {
                name: stringify!($law),
                statement: concat!($($statement),+),
                needs: $crate::laws! { @needs $needs },
                run: |fixture| Box::pin($module::$law(Scene::of(fixture))),
            },
        )+)+)+];
    };
    (@needs [$($need:ident)*]) => { &[$($crate::laws! { @capability $need }),*] };
    (@capability programs) => { Capability::Programs };
    (@capability waits) => { Capability::Waits };
    (@capability leases) => { Capability::Leases };
    (@capability bus) => { Capability::Bus };
    (@capability scan) => { Capability::Scan };

    (@table $then:ident [$($given:tt)*]) => {
        $crate::__core_laws! { [$then [$($given)*]] }
    };
    // Each file of the table adds its groups and calls the next, and the last one calls this.
    (@then [$then:ident [$($given:tt)*]] $($groups:tt)+) => {
        $crate::laws! { @$then [$($given)*] $($groups)+ }
    };
}
