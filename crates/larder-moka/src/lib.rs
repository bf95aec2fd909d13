//! The in-process store of larder: a bounded moka cache, and a pinned space that never evicts.
