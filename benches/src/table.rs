//! Writes the table of all rows.

use std::fmt::Write;
use std::path::Path;

use crate::harness::Row;

const HEAD: &str = "\
# Benchmarks

What larder costs beside its peers. `cargo run --release -p larder-benches` measures all of it anew
and writes this page. Each line compares two contenders in one process and one run: rounds
interleaved, their order swapped from round to round, the figures medians, the ratio the median of
the ratios of each round. Redis lines talk to a `redis-server` on the same machine, so client and
server share its cores; Cluster lines talk to six of them, three masters with a replica each. A p50 or
p99 is of what single operations took in a round. The figures are one machine's; the ratios are what
carries over.

A cost ratio is our time over the peer's, a throughput ratio the peer's time over ours. `no` means
that the bar is not met here, with the reason beside it.

| what | larder | peer | ratio | bar | met | remark |
|---|---|---|---|---|---|---|
";

/// Writes `rows` to the page at `path`.
pub(crate) fn write(path: &Path, rows: &[Row], machine: &str) -> std::io::Result<()> {
    let mut page = HEAD.to_owned();
    for row in rows {
        // Writing to memory does not fail.
        let _ = writeln!(page, "{}", row.line());
    }
    let _ = writeln!(page, "\nMeasured on {machine}.");
    std::fs::write(path, page)
}
