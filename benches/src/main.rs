//! What larder costs beside its peers.

fn main() {}
