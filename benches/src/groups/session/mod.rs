//! What a session adds to a request: in process beside tower-sessions, on Redis beside a raw GET.

mod http;
mod in_process;
mod on_redis;
pub(crate) mod site;

use crate::harness::Row;

pub(crate) fn run(url: &str) -> Vec<Row> {
    let mut rows = in_process::run();
    rows.extend(on_redis::run(url));
    rows
}
