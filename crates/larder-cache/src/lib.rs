//! The typed cache of larder: a near tier of shared values over any store, with one load for a thousand callers.
