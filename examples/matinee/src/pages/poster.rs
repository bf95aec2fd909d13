use super::text;
use crate::films::Film;

/// A film as a poster: text on the pattern of its genre.
pub(super) struct Poster<'a> {
    pub(super) id: i64,
    pub(super) title: &'a str,
    /// How much room the title needs: `short`, `middle` or `long`.
    pub(super) length: &'static str,
    pub(super) year: Option<&'a str>,
    pub(super) badge: Option<&'a str>,
    pub(super) genre: Option<&'a str>,
    /// The pattern, a class of the stylesheet.
    pub(super) pattern: &'static str,
    /// One of four ways to draw the pattern, the same for a film wherever it is shown.
    pub(super) mood: i64,
    pub(super) running_time: Option<String>,
    pub(super) director: Option<&'a str>,
}

impl<'a> Poster<'a> {
    pub(super) fn new(film: &'a Film) -> Self {
        Self {
            id: film.id,
            title: &film.title,
            length: length(&film.title),
            year: film.released.as_deref().and_then(|date| date.get(..4)),
            badge: film.certificate.as_deref().map(badge),
            genre: film.genre.as_deref(),
            pattern: pattern(film.genre.as_deref()),
            mood: film.id.rem_euclid(4),
            running_time: film.running_time_min.map(text::running_time),
            director: film.director.as_deref(),
        }
    }
}

fn length(title: &str) -> &'static str {
    let longest = title
        .split_whitespace()
        .map(|word| word.chars().count())
        .max()
        .unwrap_or(0);
    match title.chars().count() {
        ..=14 if longest <= 9 => "short",
        ..=34 if longest <= 12 => "middle",
        _ => "long",
    }
}

fn badge(certificate: &str) -> &str {
    match certificate {
        "Not Rated" | "Open" => "NR",
        rated => rated,
    }
}

fn pattern(genre: Option<&str>) -> &'static str {
    match genre {
        Some("Action") => "stripes",
        Some("Adventure") => "mountains",
        Some("Black Comedy") => "checks",
        Some("Comedy") => "dots",
        Some("Concert/Performance") => "rays",
        Some("Documentary") => "grid",
        Some("Drama") => "sun",
        Some("Horror") => "teeth",
        Some("Musical") => "keys",
        Some("Romantic Comedy") => "rings",
        Some("Thriller/Suspense") => "spiral",
        Some("Western") => "dusk",
        _ => "reel",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_word_makes_a_title_long() {
        assert_eq!(length("Léon"), "short");
        assert_eq!(length("The Land Girls"), "short");
        assert_eq!(length("Let's Talk About Sex"), "middle");
        assert_eq!(length("Supercalifragilistic"), "long");
    }
}
