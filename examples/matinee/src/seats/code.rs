use rand::Rng as _;

/// Without letters and digits that look alike, as people read it out at the door.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A booking's code: 60 random bits, so that nobody guesses one.
pub(super) fn draw() -> String {
    let mut rng = rand::rng();
    let letter = |_| char::from(ALPHABET[rng.random_range(..ALPHABET.len())]);
    (0..12).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_twelve_plain_characters_and_no_two_are_alike() {
        let codes: std::collections::HashSet<_> = (0..1_000).map(|_| draw()).collect();
        assert_eq!(codes.len(), 1_000);
        for code in codes {
            assert!(
                code.len() == 12 && code.bytes().all(|b| ALPHABET.contains(&b)),
                "{code}"
            );
        }
    }
}
