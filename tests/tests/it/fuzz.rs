//! The short form of the proof `fuzz`.

use std::time::Duration;

use larder_proofs::{Limits, fuzz};

#[test]
fn no_bytes_make_what_decodes_them_panic_fail_or_take_much_memory() {
    let limits = Limits {
        inputs: Some(19_000),
        time: Some(Duration::from_millis(700)),
        ..Limits::default()
    };
    let table = fuzz::prove(&limits);
    assert_eq!(table.missed(), [""; 0], "{table}");
}
