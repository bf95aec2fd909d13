//! Writes the table of all rows.

use std::path::Path;

const HEAD: &str = "\
# Benchmarks

What larder costs beside its peers. `cargo run --release -p larder-benches` measures all of it anew
and writes this page. Each line compares two contenders in one process and one run: rounds
interleaved, their order swapped from round to round, the figures medians, the ratio the median of
the ratios of each round. Each group of lines has a process of its own. Redis lines talk to a
`redis-server` on the same machine, so client and server share its cores; Cluster lines talk to six of
them, three masters with a replica each. A p50 or p99 is of what single operations took in a round. The
figures are one machine's; the ratios are what carries over.

A cost ratio is our time over the peer's, a throughput ratio the peer's time over ours. `no` means
that the bar is not met here, with the reason beside it.

| what | larder | peer | ratio | bar | met | remark |
|---|---|---|---|---|---|---|
";

/// Writes the `lines` of all rows to the page at `path`.
pub(crate) fn write(path: &Path, lines: &str, machine: &str) -> std::io::Result<()> {
    std::fs::write(path, format!("{HEAD}{lines}\nMeasured on {machine}.\n"))
}
