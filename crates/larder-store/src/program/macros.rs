/// Implements `args` and `reply` of a [`Program`](crate::program::Program).
///
/// The named fields are the arguments, in the order of `ARGV`, each written by its
/// [`Arg`](crate::program::Arg). The reply is read by its [`FromWire`](crate::program::FromWire). [Writing
/// a program](mod@crate::program#writing-a-program) has an example.
#[macro_export]
macro_rules! arguments {
    ($($field:tt),* $(,)?) => {
        fn args(&self, args: &mut $crate::program::Args) {
            let _ = &args;
            $($crate::program::Arg::write(&self.$field, args);)*
        }

        fn reply(&self, wire: $crate::program::Wire) -> $crate::Result<Self::Reply> {
            $crate::program::FromWire::from_wire(wire)
        }
    };
}

/// Implements [`Record`](crate::program::Record) for a type, and defines the program that shows it.
///
/// The script answers the flat list `{name, value, name, value}`, and an empty one if there is no record;
/// `show` adds the same lines to an [`Inspection`](crate::program::Inspection). [Writing a
/// program](mod@crate::program#writing-a-program) has an example.
#[macro_export]
macro_rules! record {
    (
        $record:ty, $kind:expr $(, parts $parts:expr)? $(, numbers $write:expr, $read:expr)?;
        $(#[$doc:meta])*
        $vis:vis $inspect:ident = $name:literal, $lua:expr,
        |$held:ident, $shown:ident| $show:expr $(,)?
    ) => {
        impl $crate::program::Record for $record {
            const KIND: $crate::Kind = $kind;
            $(const PARTS: &'static [&'static str] = &$parts;)?
            $(const NUMBERS: Option<$crate::program::Numbers<Self>> =
                Some($crate::program::Numbers { write: $write, read: $read });)?
            type Inspect = $inspect;
        }

        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        $vis struct $inspect;

        impl $crate::program::Program for $inspect {
            type Record = $record;
            type Reply = $crate::program::Inspection;

            const SCRIPT: &'static $crate::program::Script =
                &$crate::program::Script::new($name, $crate::program::Effect::Read, $lua);

            $crate::arguments!();

            fn step(
                &self,
                record: &mut $crate::program::Slot<'_, $record>,
                _: $crate::Timestamp,
            ) -> $crate::program::Inspection {
                let shown = $crate::program::Inspection::new();
                match record.get() {
                    Some(held) => {
                        let show = |$held: &$record, $shown: $crate::program::Inspection| $show;
                        show(held, shown)
                    }
                    None => shown,
                }
            }
        }
    };
}
