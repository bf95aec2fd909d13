/// Makes the pattern of keys that begin with `prefix`, taken literally.
pub(super) fn prefix(prefix: &str) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix.bytes() {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'^' | b'-' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_signs_of_patterns_mean_themselves() {
        for (prefix, pattern) in [
            ("", "*"),
            ("film:{", "film:{*"),
            ("a*b?", r"a\*b\?*"),
            (r"[a-z]^\", r"\[a\-z\]\^\\*"),
        ] {
            assert_eq!(super::prefix(prefix), pattern.as_bytes());
        }
    }
}
