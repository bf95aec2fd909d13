/// Folds text for search: lower case, no accents, and one space between words.
///
/// Control characters (also NUL) count as spaces. Folding twice changes nothing.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for char in text.chars().flat_map(char::to_lowercase) {
        match char {
            'à'..='å' | 'ā' | 'ă' | 'ą' => folded.push('a'),
            'æ' => folded.push_str("ae"),
            'ç' | 'ć' | 'č' | '¢' => folded.push('c'),
            'ď' | 'đ' | 'ð' => folded.push('d'),
            'è'..='ë' | 'ē' | 'ę' | 'ě' => folded.push('e'),
            'ì'..='ï' | 'ī' | 'ı' => folded.push('i'),
            'ł' => folded.push('l'),
            'ñ' | 'ń' | 'ň' => folded.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => folded.push('o'),
            'œ' => folded.push_str("oe"),
            'ř' => folded.push('r'),
            'ß' => folded.push_str("ss"),
            'ś' | 'š' | 'ş' => folded.push('s'),
            'ť' | 'ţ' => folded.push('t'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' => folded.push('u'),
            'ý' | 'ÿ' => folded.push('y'),
            'ź' | 'ż' | 'ž' => folded.push('z'),
            '’' | '‘' => folded.push('\''),
            // Combining accents, after their letter.
            '\u{300}'..='\u{36f}' => {}
            _ if char.is_whitespace() || char.is_control() => {
                if !folded.is_empty() && !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            _ => folded.push(char),
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_spaces_make_no_difference() {
        assert_eq!(
            fold("  Léon \t\0 The\u{7f}PROFESSIONAL "),
            "leon the professional"
        );
        assert_eq!(fold("Le\u{301}on"), "leon");
        assert_eq!(fold("Don’t"), "don't");
        assert_eq!(fold("Straße 🎬 %_\\\"'"), "strasse 🎬 %_\\\"'");
        assert_eq!(fold(" \0\n"), "");
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["İstanbul", "Ünder  ", "a \u{301} b", "ẞ", "\u{301}\0x"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text:?}");
        }
    }
}
