use larder_store::{Error, ErrorKind, Result};

/// How many bits of an address identify a visitor: by default 32 for IPv4 and 64 for IPv6.
///
/// Shorter prefixes charge more people together. An IPv6 customer may have a /56 or a /48, so use one
/// of those for a limit that must not be evaded by changing addresses.
///
/// ```
/// use larder_rate_limit::{KeyBy, PrefixLengths};
///
/// let key_by = KeyBy::peer().with_prefix_lengths(PrefixLengths::new(32, 56)?);
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrefixLengths {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

impl PrefixLengths {
    /// Uses the first `v4` bits of an IPv4 address, and the first `v6` bits of an IPv6 address.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] unless `v4` is 8 to 32 and `v6` is 16 to 64. A host may use every address
    /// of its IPv6 /64, so a longer prefix would limit nobody.
    pub fn new(v4: u8, v6: u8) -> Result<Self> {
        if (8..=32).contains(&v4) && (16..=64).contains(&v6) {
            return Ok(Self { v4, v6 });
        }
        let expected = "a visitor is 8 to 32 bits of an IPv4 address and 16 to 64 bits of an IPv6 \
                        address: a host may use every address of its /64";
        Err(Error::new(
            "build a rate limit",
            ErrorKind::Invalid,
            expected,
        ))
    }
}

impl Default for PrefixLengths {
    fn default() -> Self {
        Self { v4: 32, v6: 64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_would_limit_nobody_or_everybody_is_refused() {
        for (v4, v6, is_taken) in [
            (32, 64, true),
            (8, 16, true),
            (33, 64, false),
            (7, 64, false),
            (32, 65, false),
            (32, 15, false),
        ] {
            assert_eq!(PrefixLengths::new(v4, v6).is_ok(), is_taken, "{v4} {v6}");
        }
        let error = PrefixLengths::new(32, 128).unwrap_err();
        assert!(error.to_string().contains("/64"), "{error}");
    }
}
