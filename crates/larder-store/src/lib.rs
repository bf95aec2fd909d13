//! The contract of larder: a byte-level store, its keys, expiry, errors and atomic programs.
